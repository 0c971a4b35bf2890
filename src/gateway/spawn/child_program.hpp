// Starts one program the cheap way (the parent's memory is shared until exec, as vfork(2) does) and knows all
// its descendants. Linux only. Used by the spawner process alone: it must be a child subreaper
// (PR_SET_CHILD_SUBREAPER), so that whoever loses its parent becomes the spawner's child and can be found.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/spawn/spawn_protocol.hpp"

namespace tollgate::gateway {

// What a program has open.
struct ProgramFiles {
  int in = -1;
  int out = -1;
  int err = -1;
  int module = -1;  // becomes program_module_fd; -1: none
};

// The caller has every signal blocked, so that no handler runs on the shared memory, and every disposition at
// its default; the program starts with nothing blocked. It leads a process group of its own, has these descriptors as 0, 1, 2 (and 3) and no other, and the limits. Fails with the errno of the failing
// step, that of execve included.
expected<pid_t, int> start_program(const StartProgram& start, const ProgramFiles& files);

// The children of the calling process, which has one thread. Asked after every run, so the file stays open.
class OwnChildren {
 public:
  OwnChildren();
  bool more_than(std::size_t count) const;
  std::vector<pid_t> list() const;

 private:
  UniqueFd file_;
};

// The children of a process, from /proc; empty when it has ended.
std::vector<pid_t> children_of(pid_t parent);

// Everyone below `root` in the process tree; `root` itself not included.
std::vector<pid_t> descendants_of(pid_t root);

// The value of one variable in the environment that a process was started with.
std::string initial_environment(pid_t pid, std::string_view name);

}  // namespace tollgate::gateway
