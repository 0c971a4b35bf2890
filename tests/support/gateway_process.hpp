// Starts the built `tollgate` as a user would and stops it when the test ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::testing {

// A folder that goes away with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes (or replaces) a file and returns its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

struct Exit {
  int code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

// Runs the program to its end (killed after `limit`; then signal is SIGKILL).
Exit run_tollgate(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& environment = {},
                  std::chrono::milliseconds limit = std::chrono::seconds(20));

struct ServeOptions {
  std::map<std::string, std::string> environment;
  std::vector<std::string> arguments;  // after `serve`
  std::chrono::milliseconds start_limit = std::chrono::seconds(20);
};

// A running `tollgate serve`. stdout and stderr go to files in a TempDir.
class GatewayProcess {
 public:
  // `tollgate serve --config FILE`: the file gets `toml`; give it `listen = "127.0.0.1:0"`. Throws with
  // stderr if no `listening on` line comes in time.
  static GatewayProcess with_config(const std::string& toml, ServeOptions options = {});
  // `tollgate serve` with options.arguments as they are.
  static GatewayProcess with_arguments(const ServeOptions& options);

  GatewayProcess(GatewayProcess&& other) noexcept;
  GatewayProcess& operator=(GatewayProcess&&) = delete;
  ~GatewayProcess();  // SIGKILL to the supervisor if it still runs, then waits for its workers to be gone

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  // From the line `admin on http://ADDRESS:PORT` that the supervisor logs to stderr.
  std::uint16_t admin_port() const;
  // From the line `kill port on ADDRESS:PORT`.
  std::uint16_t kill_port() const;
  std::vector<pid_t> worker_pids() const;  // children of the supervisor that run `worker`

  void rewrite_config(const std::string& toml) const;
  void signal(int number) const;
  // Waits for a substring of stderr that appears at or after byte `from`.
  bool wait_for_log(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(5),
                    std::size_t from = 0) const;
  std::string out() const;
  std::string err() const;
  // Waits for the process to end by itself; killed after `limit`.
  Exit wait(std::chrono::milliseconds limit = std::chrono::seconds(15));

  const TempDir& folder() const { return *folder_; }

 private:
  GatewayProcess() = default;
  void launch(const ServeOptions& options);
  std::uint16_t logged_port(const std::string& marker) const;

  std::unique_ptr<TempDir> folder_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace tollgate::testing
