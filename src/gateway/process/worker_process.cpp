#include "gateway/process/worker_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <vector>

#include "gateway/process/limits.hpp"
#include "gateway/process/lockdown.hpp"

extern "C" {  // glibc 2.36 forgot this in its header
#include <sys/pidfd.h>
}

namespace tollgate::gateway {
namespace {

// A worker needs nothing of the environment, and secrets that the configuration took from it are none of its
// business. The sanitizers' options are for tests.
std::vector<char*> worker_environment() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::string_view(*variable).find("SAN_OPTIONS=") != std::string_view::npos) kept.push_back(*variable);
  }
  kept.push_back(nullptr);
  return kept;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

}  // namespace

std::string WorkerExit::describe() const {
  if (signal != 0) return fmt::format("signal {} ({})", signal, strsignal(signal));
  return fmt::format("exit code {}", code);
}

expected<std::shared_ptr<WorkerProcess>, std::string> WorkerProcess::spawn(EventLoop& loop, const char* name,
                                                                           int log_fd) {
  auto pair = make_channel_pair();
  if (!pair) return unexpected(pair.error());
  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(actions.get(), STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), log_fd, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(actions.get(), pair->theirs.get(), worker_channel_fd);
  Attributes attributes;
  sigset_t no_signals;
  sigemptyset(&no_signals);
  posix_spawnattr_setsigmask(attributes.get(), &no_signals);
  posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETSIGMASK);

  char program[] = "tollgate";
  std::string command = name;
  char* const arguments[] = {program, command.data(), nullptr};
  std::vector<char*> environment = worker_environment();
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, "/proc/self/exe", actions.get(), attributes.get(), arguments, environment.data());
  if (error != 0) {
    return unexpected(fmt::format("starting a {} from /proc/self/exe{}: {}", name,
                                  error == ENOENT ? " (is /proc mounted, is /dev/null there?)" : "",
                                  strerror(error)));
  }
  UniqueFd pidfd(pidfd_open(pid, 0));
  if (!pidfd) {
    const std::string reason = fmt::format("pidfd_open: {}", strerror(errno));
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return unexpected(reason);
  }
  const auto linger = command == spawner_command ? spawner_end_max : std::chrono::milliseconds(0);
  return std::make_shared<WorkerProcess>(loop, pid, std::move(pidfd), std::move(pair->ours), linger);
}

WorkerProcess::WorkerProcess(EventLoop& loop, pid_t pid, UniqueFd pidfd, UniqueFd channel,
                             std::chrono::milliseconds linger)
    : pid_(pid), pidfd_(loop, pidfd.release()), channel_(loop, std::move(channel)), linger_(linger) {}

WorkerProcess::~WorkerProcess() {
  if (reaped_) return;
  if (linger_.count() > 0) {
    pollfd ended{.fd = pidfd_.native_handle(), .events = POLLIN, .revents = 0};
    poll(&ended, 1, static_cast<int>(linger_.count()));
  }
  kill();
  waitpid(pid_, nullptr, 0);
}

Task<WorkerExit> WorkerProcess::exited() {
  siginfo_t info{};
  for (;;) {
    info.si_pid = 0;
    const int result = waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED | WNOHANG);
    if (result == 0 && info.si_pid == pid_) break;
    if (result < 0 && errno == ECHILD) {  // somebody else reaped it: how it ended is lost
      info.si_code = CLD_EXITED;
      info.si_status = WorkerExit::code_unknown;
      break;
    }
    co_await pidfd_.async_wait(asio::posix::descriptor_base::wait_read, use_task_tuple);
  }
  reaped_ = true;
  channel_.close();
  WorkerExit exit;
  (info.si_code == CLD_EXITED ? exit.code : exit.signal) = info.si_status;
  co_return exit;
}

void WorkerProcess::kill() {
  if (!reaped_) pidfd_send_signal(pidfd_.native_handle(), SIGKILL, nullptr, 0);
}

KillAfter::KillAfter(std::shared_ptr<WorkerProcess> worker, Executor executor,
                     std::chrono::milliseconds limit)
    : timer_(executor, limit), expired_(std::make_shared<bool>(false)) {
  timer_.async_wait([worker = std::move(worker), expired = expired_](error_code error) {
    if (error) return;
    *expired = true;
    worker->kill();
  });
}

}  // namespace tollgate::gateway
