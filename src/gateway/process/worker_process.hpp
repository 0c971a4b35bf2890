// One worker as its supervisor sees it: a process, exec'd anew from this very program, and a channel to it.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <string>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "gateway/process/ipc.hpp"

namespace tollgate::gateway {

// The hidden subcommand a worker is started with.
inline constexpr const char* worker_command = "worker";
// And the one of the worker's helper that starts programs.
inline constexpr const char* spawner_command = "spawner";

struct WorkerExit {
  static constexpr int code_unknown = -1;
  int code = 0;
  int signal = 0;  // 0 when it exited by itself
  bool clean() const { return code == 0 && signal == 0; }
  std::string describe() const;  // "exit code 1", "signal 11 (Segmentation fault)"
};

class WorkerProcess {
 public:
  // `command`: worker_command or spawner_command. `log_fd` becomes its stderr.
  static expected<std::shared_ptr<WorkerProcess>, std::string> spawn(EventLoop& loop, const char* command,
                                                                     int log_fd);

  WorkerProcess(EventLoop& loop, pid_t pid, UniqueFd pidfd, UniqueFd channel,
                std::chrono::milliseconds linger);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  // Kills and reaps it if it still runs; a spawner gets the time first to end by itself, which it does when
  // its worker has ended, for it alone finds all that it started.
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  Channel& channel() { return channel_; }

  // Completes when the process has ended, and reaps it. Call once.
  Task<WorkerExit> exited();

  void kill();

 private:
  pid_t pid_;
  asio::posix::basic_stream_descriptor<Executor> pidfd_;
  Channel channel_;
  std::chrono::milliseconds linger_;
  bool reaped_ = false;
};

// Kills the worker when the guard lives longer than `limit`: what bounds every conversation with it. Whoever
// waits for its answer then learns that the channel is closed.
class KillAfter {
 public:
  KillAfter(std::shared_ptr<WorkerProcess> worker, Executor executor, std::chrono::milliseconds limit);

  bool expired() const { return *expired_; }

 private:
  SteadyTimer timer_;
  std::shared_ptr<bool> expired_;
};

}  // namespace tollgate::gateway
