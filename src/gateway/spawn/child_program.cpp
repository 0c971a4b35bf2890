#include "gateway/spawn/child_program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>

namespace tollgate::gateway {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (const auto& text : strings) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

void limit(int resource, std::uint64_t value) {
  if (value == 0) return;
  const rlimit both{value, value};
  setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// Runs in the child on the parent's memory: system calls only. Returns the errno of the step that failed.
int become(const StartProgram& start, char* const* argv, char* const* environment,
           const ProgramFiles& files) {
  setpgid(0, 0);  // a session would cost a scheduling group of its own (autogroup)
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a spawner that was killed cannot end it
  // The sources are above 2, and 3 is the last to be replaced.
  if (dup2(files.in, 0) < 0 || dup2(files.out, 1) < 0 || dup2(files.err, 2) < 0) return errno;
  if (files.module == program_module_fd) {
    if (fcntl(files.module, F_SETFD, 0) != 0) return errno;
  } else if (files.module >= 0 && dup2(files.module, program_module_fd) < 0) {
    return errno;
  }
  const unsigned first_closed = files.module >= 0 ? program_module_fd + 1 : program_module_fd;
  if (close_range(first_closed, ~0u, 0) != 0) return errno;
  if (start.limits.cpu_seconds > 0) {  // SIGXCPU tells which limit it was; SIGKILL follows for who ignores it
    const rlimit cpu{start.limits.cpu_seconds, start.limits.cpu_seconds + 1};
    setrlimit(RLIMIT_CPU, &cpu);
  }
  limit(RLIMIT_DATA, start.limits.memory_bytes);
  limit(RLIMIT_FSIZE, start.limits.file_bytes);
  limit(RLIMIT_NOFILE, start.limits.open_files);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(argv[0], argv, environment);
  return errno;
}

std::string read_file(int file) {
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t count;
       (count = pread(file, piece.data(), piece.size(), static_cast<off_t>(text.size()))) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::string read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_file(file.get()) : std::string();
}

std::string children_path(pid_t parent) {
  return fmt::format("/proc/{0}/task/{0}/children", parent);
}

std::vector<pid_t> pids_in(const std::string& text) {
  std::vector<pid_t> list;
  for (const char* at = text.data(); at < text.data() + text.size(); ++at) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), pid);
    if (error == std::errc()) list.push_back(pid);
    at = end;
  }
  return list;
}

}  // namespace

expected<pid_t, int> start_program(const StartProgram& start, const ProgramFiles& files) {
  const auto argv = pointers(start.argv);
  const auto environment = pointers(start.environment);
  volatile int start_error = 0;
  const pid_t pid = vfork();
  if (pid == 0) {
    start_error = become(start, argv.data(), environment.data(), files);
    _exit(127);
  }
  if (pid < 0) return unexpected(errno);
  if (start_error != 0) {
    siginfo_t ended;
    waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED);
    return unexpected(static_cast<int>(start_error));
  }
  return pid;
}

OwnChildren::OwnChildren() : file_(open(children_path(getpid()).c_str(), O_RDONLY | O_CLOEXEC)) {}

bool OwnChildren::more_than(std::size_t count) const {
  std::array<char, 4096> list;
  const ssize_t bytes = pread(file_.get(), list.data(), list.size(), 0);
  if (bytes < 0) return true;
  // The kernel gives about a page at a time; each process is followed by a space.
  if (static_cast<std::size_t>(bytes) > list.size() / 2)
    return pids_in(read_file(file_.get())).size() > count;
  return static_cast<std::size_t>(std::count(list.begin(), list.begin() + bytes, ' ')) > count;
}

std::vector<pid_t> OwnChildren::list() const {
  return pids_in(read_file(file_.get()));
}

std::vector<pid_t> children_of(pid_t parent) {
  // Threads other than the first have lists of their own; programs that fork from one are found when they
  // end.
  return pids_in(read_file(children_path(parent)));
}

std::vector<pid_t> descendants_of(pid_t root) {
  std::vector<pid_t> found = children_of(root);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto below = children_of(found[i]);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

std::string initial_environment(pid_t pid, std::string_view name) {
  const std::string text = read_file(fmt::format("/proc/{}/environ", pid));
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view entry(text.c_str() + at);
    if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=') {
      return std::string(entry.substr(name.size() + 1));
    }
    at += entry.size() + 1;
  }
  return {};
}

}  // namespace tollgate::gateway
