#include "base/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <iterator>

namespace tollgate {
namespace {

std::string_view word(Log::Level level) {
  switch (level) {
    case Log::Level::info:
      return "info";
    case Log::Level::warning:
      return "warning";
    case Log::Level::error:
      return "error";
  }
  return "error";
}

// Control bytes would let whoever is quoted in a message forge further lines.
void append_printable(fmt::memory_buffer& line, std::string_view message) {
  for (const char c : message) line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
}

}  // namespace

void Log::write(Level level, std::string_view message) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  fmt::memory_buffer line;
  fmt::format_to(std::back_inserter(line),
                 "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} {}[{}]: ", utc.tm_year + 1900, utc.tm_mon + 1,
                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1'000'000, word(level),
                 source_, getpid());
  append_printable(line, message.substr(0, line_bytes_max));
  line.resize(std::min(line.size(), line_bytes_max - 1));
  line.push_back('\n');

  // Where the sink could not be opened anew it may block, so ask first; a full pipe is not writable.
  pollfd sink{.fd = fd_, .events = POLLOUT, .revents = 0};
  const bool room = poll(&sink, 1, 0) == 1 && (sink.revents & POLLOUT) != 0;
  if (!room || ::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

UniqueFd open_nonblocking_sink(int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) return {};
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace tollgate
