// Starts one program without waiting until it has begun: the child borrows the parent's memory until it
// executes, as vfork(2)'s does, but the parent runs on. On a busy machine a new child waits long for its
// first turn, and a spawner that waited with it could neither reap nor start others.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <array>
#include <vector>

#include "base/expected.hpp"
#include "gateway/spawn/spawn_protocol.hpp"

namespace tollgate::gateway {

// What a program has open.
struct ProgramFiles {
  int in = -1;
  int out = -1;
  int err = -1;
  int module = -1;  // becomes program_module_fd; -1: none
};

// One start. Not moved and not destroyed until the program has been reaped: the child works in it. Begun
// once.
class ProgramStart {
 public:
  ProgramStart() {}  // NOLINT(modernize-use-equals-default): that may clear the stack
  ProgramStart(const ProgramStart&) = delete;
  ProgramStart& operator=(const ProgramStart&) = delete;

  // The pid, or the errno of clone. The caller has every signal blocked and every disposition at its default;
  // the program starts with nothing blocked, leads a process group of its own, has these descriptors as 0, 1,
  // 2 (and 3) and no other, the limits, and the CPUs: nullptr leaves the caller's. The descriptors may be
  // closed at once; `cpus` stays.
  expected<pid_t, int> begin(StartProgram program, const ProgramFiles& files, const cpu_set_t* cpus);

  // The errno of the step that failed, that of execve included; 0: it was executed. When it has been reaped.
  int error() const { return error_; }

 private:
  static int run_child(void* self);
  int become_program() const;

  StartProgram program_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  char* const* argv_begin_ = nullptr;  // for the child, which calls no function that could be instrumented
  char* const* environment_begin_ = nullptr;
  ProgramFiles files_;
  const cpu_set_t* cpus_ = nullptr;
  volatile int error_ = 0;
  alignas(16) std::array<char, 16384> stack_;
};

}  // namespace tollgate::gateway
