#include "gateway/spawn/program_start.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "gateway/spawn/raw_system_call.hpp"

// What runs in the child. A sanitizer's instrumentation writes to what it keeps for the thread or the stack,
// and those are the parent's, which runs at the same time.
#define TOLLGATE_IN_CHILD \
  __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))

// The thread sanitizer's clone() takes the child for a fork's and lets both unlock what the parent locked.
#if defined(__SANITIZE_THREAD__)
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define TOLLGATE_CLONE ::__clone
#else
#define TOLLGATE_CLONE ::clone
#endif

namespace tollgate::gateway {
namespace {

constexpr int not_executed = 127;

void point_to(const std::vector<std::string>& strings, std::vector<char*>& list) {
  for (const auto& text : strings) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
}

// What cannot be set stays as it was.
TOLLGATE_IN_CHILD void limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  if (soft == 0) return;
  const rlimit64 both{soft, hard};
  raw_system_call(SYS_prlimit64, 0, resource, word(&both));
}

// The sources are above 2, and 3 is the last to be replaced.
TOLLGATE_IN_CHILD long arrange(const ProgramFiles& files) {
  const int sources[] = {files.in, files.out, files.err};
  for (int target = 0; target < 3; ++target) {
    if (const long result = raw_system_call(SYS_dup3, sources[target], target); result < 0) return result;
  }
  if (files.module == program_module_fd) return raw_system_call(SYS_fcntl, files.module, F_SETFD, 0);
  if (files.module >= 0) return raw_system_call(SYS_dup3, files.module, program_module_fd);
  return 0;
}

}  // namespace

expected<pid_t, int> ProgramStart::begin(StartProgram program, const ProgramFiles& files,
                                         const cpu_set_t* cpus) {
  program_ = std::move(program);
  point_to(program_.argv, argv_);
  point_to(program_.environment, environment_);
  argv_begin_ = argv_.data();
  environment_begin_ = environment_.data();
  files_ = files;
  cpus_ = cpus;
  const pid_t pid = TOLLGATE_CLONE(&run_child, stack_.data() + stack_.size(), CLONE_VM | SIGCHLD, this);
  if (pid < 0) return unexpected(errno);
  return pid;
}

TOLLGATE_IN_CHILD int ProgramStart::run_child(void* self) {
  auto& start = *static_cast<ProgramStart*>(self);
  start.error_ = start.become_program();
  raw_system_call(SYS_exit_group, not_executed);
  return not_executed;
}

// In the child, on the parent's memory: system calls only, and none of the C library's, whose errno and locks
// are the parent's. Returns the errno of the step that failed.
TOLLGATE_IN_CHILD int ProgramStart::become_program() const {
  const SpawnLimits& limits = program_.limits;
  raw_system_call(SYS_setpgid, 0, 0);  // a session would cost a scheduling group of its own (autogroup)
  raw_system_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);  // a spawner that was killed cannot end it
  if (const long result = arrange(files_); result < 0) return static_cast<int>(-result);
  const int first_closed = files_.module >= 0 ? program_module_fd + 1 : program_module_fd;
  if (const long result = raw_system_call(SYS_close_range, first_closed, ~0U, 0); result < 0)
    return static_cast<int>(-result);
  // SIGXCPU tells which limit it was; SIGKILL follows for who ignores it.
  limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1);
  limit(RLIMIT_DATA, limits.memory_bytes, limits.memory_bytes);
  limit(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
  limit(RLIMIT_NOFILE, limits.open_files, limits.open_files);
  if (cpus_ != nullptr) raw_system_call(SYS_sched_setaffinity, 0, sizeof *cpus_, word(cpus_));
  const std::uint64_t no_signal = 0;  // the kernel's set, not the library's
  raw_system_call(SYS_rt_sigprocmask, SIG_SETMASK, word(&no_signal), 0, sizeof no_signal);
  return static_cast<int>(
      -raw_system_call(SYS_execve, word(*argv_begin_), word(argv_begin_), word(environment_begin_)));
}

}  // namespace tollgate::gateway
