// The operational log: one plain line per event,
//   2026-11-21T09:52:39.123Z warning worker[812]: exceeded its drain
// so that lines of the access log, which are JSON and begin with '{', can be told apart where both share
// stderr.
//
// A log never blocks its process: a line that the sink cannot take at once is dropped and counted. Each
// process makes one Log and passes it by reference; lines are written whole, so several processes may share a
// sink. Threads: write() may be called from any thread.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace tollgate {

class Log {
 public:
  enum class Level : std::uint8_t { info, warning, error };

  // Longer lines are cut. PIPE_BUF: the kernel writes up to that many bytes to a pipe in one piece or not at
  // all.
  static constexpr std::size_t line_bytes_max = 4096;

  // `fd` is not owned and is written to as it is; see open_nonblocking_sink.
  Log(std::string source, int fd) : source_(std::move(source)), fd_(fd) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(Level level, std::string_view message);

  template <class... Arguments>
  void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    write(Level::info, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    write(Level::warning, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    write(Level::error, fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  int fd() const { return fd_; }

 private:
  std::string source_;
  int fd_;
  std::atomic<std::uint64_t> dropped_{0};
};

// The file behind `fd` (a pipe or a terminal) opened anew without blocking: setting O_NONBLOCK on `fd` itself
// would change it for whoever else shares it. Empty when that cannot be done or is not needed (a regular file
// never blocks); then use `fd` itself.
UniqueFd open_nonblocking_sink(int fd);

}  // namespace tollgate
