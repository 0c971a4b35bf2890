#include "gateway/observe/log_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tollgate::gateway {
namespace {

constexpr mode_t log_file_mode = 0640;

// The whole lines at the start of `bytes` that fit one atomic write; all of it when the first line is longer.
std::string_view atomic_part(std::string_view bytes) {
  if (bytes.size() <= PIPE_BUF) return bytes;
  const std::size_t end = bytes.rfind('\n', PIPE_BUF - 1);
  return end == std::string_view::npos ? bytes.substr(0, PIPE_BUF) : bytes.substr(0, end + 1);
}

// For kernels without RWF_NOWAIT on this kind of file. Between poll and write another process may fill the
// pipe; what is left is a wait until its reader takes the next page.
ssize_t write_after_poll(int fd, std::string_view bytes) {
  pollfd ready{fd, POLLOUT, 0};
  if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) {
    errno = (ready.revents & (POLLERR | POLLHUP)) != 0 ? EPIPE : EAGAIN;
    return -1;
  }
  return ::write(fd, bytes.data(), bytes.size());
}

ssize_t write_without_waiting(int fd, std::string_view bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  const ssize_t written = ::pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
  if (written < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
    return write_after_poll(fd, bytes);
  return written;
}

}  // namespace

expected<UniqueFd, std::string> open_log_file(const std::string& path) {
  UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, log_file_mode));
  if (!fd) return unexpected(fmt::format("cannot open the log {}: {}", path, std::strerror(errno)));
  return fd;
}

LogSink::LogSink(UniqueFd fd) : fd_(std::move(fd)), kind_(kind_of(fd_.get())) {}

LogSink::Kind LogSink::kind_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Kind::per_write;  // the first write tells what is wrong
  if (S_ISREG(status.st_mode)) return Kind::file;
  if (S_ISSOCK(status.st_mode)) return Kind::socket;
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? Kind::not_waiting : Kind::per_write;
}

long LogSink::write_some(std::string_view bytes) {
  switch (kind_) {
    case Kind::file:
    case Kind::not_waiting:
      return ::write(fd_.get(), bytes.data(), bytes.size());
    case Kind::socket:
      return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::per_write:
      return write_without_waiting(fd_.get(), bytes);
  }
  return -1;
}

LogSink::Result LogSink::write(std::string_view& lines) {
  if (std::exchange(line_cut_, false)) {
    std::string_view end = "\n";
    const Result ended = write_all(end);
    line_cut_ = !end.empty();
    if (line_cut_) return ended;
  }
  const std::string_view all = lines;
  const Result result = write_all(lines);
  const std::string_view taken = all.substr(0, all.size() - lines.size());
  line_cut_ = result == Result::failed && !taken.empty() && taken.back() != '\n';
  return result;
}

LogSink::Result LogSink::write_all(std::string_view& lines) {
  while (!lines.empty()) {
    const std::string_view piece = kind_ == Kind::file ? lines : atomic_part(lines);
    const ssize_t written = write_some(piece);
    if (written >= 0) {
      lines.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? Result::blocked : Result::failed;
  }
  return Result::done;
}

}  // namespace tollgate::gateway
