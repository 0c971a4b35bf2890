#include "http/listener.hpp"

#include <netinet/tcp.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <new>

#include "http/server.hpp"

namespace tollgate::http {
namespace {

bool is_listening(int fd) {
  int on = 0;
  socklen_t size = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on != 0;
}

}  // namespace

asio::ip::tcp protocol_of(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  return domain == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

Listener::Listener(EventLoop& loop, Server& server, ServerShared& shared, UniqueFd listening)
    : loop_(loop),
      server_(server),
      shared_(shared),
      socket_(loop),
      pause_(loop),
      pause_length_(shared.limits.accept_pause_min) {
  const int fd = listening.get();
  if (!is_listening(fd)) return;
  // Inherited by every accepted socket: no system call for each.
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  local_ = local_endpoint(fd);
  error_code error;
  socket_.assign(protocol_of(fd), fd, error);
  if (error) return;
  listening.release();
  socket_.native_non_blocking(true, error);
}

void Listener::start() {
  asio::co_spawn(loop_, run(), [this](const std::exception_ptr&) { server_.stopped_accepting(); });
}

void Listener::stop() {
  stopped_ = true;
  // What the kernel has queued came in time, and is reset if nobody else accepts on this socket.
  while (socket_.is_open() && accept_some() == Turn::unfinished) {
  }
  error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
}

void Listener::retry_now() {
  pause_.cancel();
}

Task<> Listener::run() {
  while (!stopped_) {
    const Turn turn = accept_some();
    if (turn == Turn::unfinished) {
      co_await asio::post(loop_, use_task);
    } else if (turn == Turn::failed) {
      pause_.expires_after(pause_length_);
      pause_length_ = std::min(pause_length_ * 2, shared_.limits.accept_pause_max);
      const auto [ignored] = co_await pause_.async_wait(use_task_tuple);
      static_cast<void>(ignored);
    } else {
      const auto [closed] = co_await socket_.async_wait(TcpAcceptor::wait_read, use_task_tuple);
      static_cast<void>(closed);  // by stop()
    }
  }
}

Listener::Turn Listener::accept_some() {
  for (std::uint32_t i = 0; i < shared_.limits.accept_turn_max; ++i) {
    sockaddr_storage remote{};
    socklen_t size = sizeof remote;
    const int fd = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&remote), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      pause_length_ = shared_.limits.accept_pause_min;
      try {
        server_.adopt(UniqueFd(fd), remote, local_);
      } catch (const std::bad_alloc&) {
        on_failure(ENOMEM);
        return Turn::failed;
      }
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return Turn::drained;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENOPROTOOPT:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENONET:
        break;  // of this one connection
      default:
        on_failure(errno);
        return Turn::failed;
    }
  }
  return Turn::unfinished;
}

void Listener::on_failure(int error) {
  ++shared_.counters.accept_errors;
  server_.retry_when_closed();
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now < logs_again_) return;
  logs_again_ = now + shared_.limits.accept_log_interval;
  shared_.log.error("accepting on {} port {}: {}; it is tried again", local_.address(), local_.port(),
                    std::strerror(error));
}

}  // namespace tollgate::http
