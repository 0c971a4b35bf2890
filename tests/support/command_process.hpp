// Any command that a test starts, waits for and stops: launchers, comparison servers.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/gateway_process.hpp"

namespace tollgate::testing {

// The exit code with which our scripts say that this machine lacks what they need: tests skip on it.
inline constexpr int exit_skip = 77;

class CommandProcess {
 public:
  // `environment` is added to ours. stdout and stderr go to files; the command leads a process group of its
  // own.
  explicit CommandProcess(const std::vector<std::string>& command,
                          const std::map<std::string, std::string>& environment = {});
  CommandProcess(CommandProcess&& other) noexcept;
  CommandProcess& operator=(CommandProcess&&) = delete;
  ~CommandProcess();  // stop()

  pid_t pid() const { return group_; }
  // Waits for text on stdout or stderr; false when the command ended or the limit passed before it came.
  bool wait_for(const std::string& text, std::chrono::milliseconds limit);
  // SIGTERM to the command alone, then as wait(): what it started is its own to end.
  Exit stop(std::chrono::milliseconds limit = std::chrono::seconds(30));
  // Waits for its end; after `limit` its whole group is killed, and `signal` is SIGKILL.
  Exit wait(std::chrono::milliseconds limit);
  // Processes that are left of its group.
  bool has_leftovers() const;
  std::string out() const;
  std::string err() const;

 private:
  bool ended();

  std::unique_ptr<TempDir> folder_;
  pid_t group_ = -1;
  bool running_ = false;
  int status_ = 0;
};

}  // namespace tollgate::testing
