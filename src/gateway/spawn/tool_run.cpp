#include "gateway/spawn/tool_run.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/unique_fd.hpp"
#include "base/unprivileged.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::size_t output_bytes_max = 4096;
constexpr std::size_t complaint_bytes_max = 400;
constexpr int input_fd = 3;

using SteadyTime = std::chrono::steady_clock::time_point;

// False when the time comes first.
bool wait_readable(int fd, SteadyTime end) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left.count() > 0 ? poll(&readable, 1, static_cast<int>(left.count())) : 0;
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return false;
  }
}

// Reads until the end of the stream; false when the time comes first. What is over the bound is read and
// dropped.
bool read_all(int fd, SteadyTime end, std::string& text) {
  while (wait_readable(fd, end)) {
    std::array<char, 1024> piece;
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count <= 0) return true;
    text.append(piece.data(), std::min(static_cast<std::size_t>(count), output_bytes_max - text.size()));
  }
  return false;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (const std::string& text : strings) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

bool limit(__rlimit_resource resource, std::uint64_t soft, std::uint64_t hard) {
  return soft == 0 || lower_limit(resource, soft, hard);
}

// Runs in the child on the parent's memory: system calls only. Returns the errno of the step that failed.
int become(const ToolRun& run, int output, char* const* argv, char* const* environment) {
  setpgid(0, 0);
  struct sigaction defaults{};
  defaults.sa_handler = SIG_DFL;
  for (int number = 1; number < SIGRTMIN; ++number) sigaction(number, &defaults, nullptr);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) return errno;
  if (run.input == input_fd ? fcntl(input_fd, F_SETFD, 0) != 0
                            : run.input >= 0 && dup2(run.input, input_fd) < 0) {
    return errno;
  }
  if (close_range(run.input >= 0 ? input_fd + 1 : input_fd, ~0u, 0) != 0) return errno;
  if (run.user == ToolUser::nobody) {
    volunteer_for_the_oom_killer();
    if (!become_nobody()) return errno;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const ToolLimits& limits = run.limits;
  // SIGXCPU tells which limit it was; a second later comes SIGKILL.
  if (!limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1) ||
      !limit(RLIMIT_AS, limits.address_space_bytes, limits.address_space_bytes) ||
      !limit(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)) {
    return errno;
  }
  lower_limit(RLIMIT_CORE, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(argv[0], argv, environment);
  return errno;
}

expected<pid_t, int> start_tool(const ToolRun& run, int output) {
  const auto argv = pointers(run.argv);
  const auto variables = pointers(run.environment);
  // Between vfork and exec no handler may run on the shared memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  volatile int start_error = 0;
  const pid_t pid = vfork();  // NOLINT(bugprone-unsafe-functions): posix_spawn sets neither user nor bounds
  if (pid == 0) {
    start_error = become(run, output, argv.data(), run.environment.empty() ? environ : variables.data());
    _exit(127);
  }
  const int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return unexpected(fork_error);
  if (start_error != 0) {
    waitpid(pid, nullptr, 0);
    return unexpected(static_cast<int>(start_error));
  }
  return pid;
}

// What C, C++ and Rust programs say before they end for want of memory.
bool tells_of_no_memory(std::string_view text) {
  constexpr std::array<std::string_view, 5> phrases{"memory allocation of", "Cannot allocate memory",
                                                    "out of memory", "Resource temporarily unavailable",
                                                    "bad_alloc"};
  return std::any_of(phrases.begin(), phrases.end(),
                     [text](std::string_view phrase) { return text.find(phrase) != std::string_view::npos; });
}

ToolFailure::Reason reason_of(int status, std::string_view text) {
  using Reason = ToolFailure::Reason;
  const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (number == SIGXCPU) return Reason::cpu;
  if (number == SIGXFSZ) return Reason::file;
  return tells_of_no_memory(text) ? Reason::memory : Reason::failed;
}

}  // namespace

expected<std::string, ToolFailure> run_tool(const ToolRun& run) {
  using Reason = ToolFailure::Reason;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unexpected(ToolFailure{Reason::start, strerror(errno)});
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const auto end = std::chrono::steady_clock::now() + run.limits.wall;
  const auto pid = start_tool(run, write_end.get());
  if (!pid) return unexpected(ToolFailure{Reason::start, strerror(pid.error())});
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  if (!process) {
    const ToolFailure failure{Reason::start, strerror(errno)};
    kill(-*pid, SIGKILL);
    waitpid(*pid, nullptr, 0);
    return unexpected(failure);
  }
  write_end.reset();
  std::string text;
  // It may close its output long before it ends.
  const bool in_time = read_all(read_end.get(), end, text) && wait_readable(process.get(), end);
  if (!in_time) kill(-*pid, SIGKILL);
  int status = 0;
  waitpid(*pid, &status, 0);
  kill(-*pid, SIGKILL);
  if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  const Reason reason = in_time ? reason_of(status, text) : Reason::wall;
  if (text.empty()) text = in_time ? "it says nothing" : "it takes too long";
  return unexpected(
      ToolFailure{reason, text.substr(text.size() - std::min(text.size(), complaint_bytes_max))});
}

}  // namespace tollgate::gateway
