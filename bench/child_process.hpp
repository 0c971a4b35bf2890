// A program of ours that runs beside us and is gone when the object is.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "bench/placement.hpp"

namespace tollgate::bench {

using Clock = std::chrono::steady_clock;

class ChildProcess {
 public:
  // stdout comes back through read_line and read_all; stderr goes to the file. Throws if it cannot be
  // started.
  ChildProcess(const std::vector<std::string>& command, const Cores& cores, const std::string& stderr_path);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // SIGTERM, after 3 s SIGKILL

  pid_t pid() const { return pid_; }
  // A line of stdout, without its end; throws when there is none within `limit`, with what went to stderr.
  std::string read_line(std::chrono::milliseconds limit);
  // stdout to its end.
  std::string read_all(std::chrono::milliseconds limit);
  // Waits for it to end by itself; the exit code, or 128 + signal.
  int wait();
  std::string errors() const;

 private:
  bool fill(Clock::time_point until);  // false at the end of stdout

  pid_t pid_ = -1;
  UniqueFd out_;
  std::string buffer_;
  std::string stderr_path_;
};

// Where a program lies on PATH (and in the sbin folders), or "".
std::string find_program(const std::string& name);

}  // namespace tollgate::bench
