#include "http/http1_watch.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

namespace tollgate::http {
namespace {

enum class Seen : std::uint8_t { nothing, bytes, end };

Seen peek(int fd) {
  char byte = 0;
  const ssize_t size = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size > 0) return Seen::bytes;
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Seen::nothing;
  return Seen::end;
}

// The end of the stream, also behind bytes that nobody has read.
bool peer_has_closed(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return false;
  return info.tcpi_state != TCP_ESTABLISHED;
}

}  // namespace

Http1Watch::Http1Watch(ServerShared& shared, Http1Stream& stream, Cancellation& cancellation)
    : shared_(shared), stream_(stream), cancellation_(cancellation), recheck_(&on_recheck, this) {}

void Http1Watch::start() {
  wanted_ = true;
  arm();
}

void Http1Watch::stop() {
  wanted_ = false;
  disarm();
}

void Http1Watch::arm() {
  if (armed_) return;
  armed_ = true;
  ++pending_;
  auto completion = [this, round = round_](const error_code& error) {
    --pending_;
    if (round != round_ || error) return;
    armed_ = false;
    on_readable();
  };
  stream_.socket().async_wait(TcpSocket::wait_read,
                              asio::bind_cancellation_slot(cancel_wait_.slot(), std::move(completion)));
}

void Http1Watch::disarm() {
  recheck_.disarm();
  if (!armed_) return;
  armed_ = false;
  ++round_;
  cancel_wait_.emit(asio::cancellation_type::terminal);
}

void Http1Watch::on_readable() {
  switch (peek(stream_.fd())) {
    case Seen::nothing:
      arm();
      break;
    case Seen::bytes:
      on_recheck(this);
      break;
    case Seen::end:
      cancellation_.cancel(reasons::client_gone);
      break;
  }
}

void Http1Watch::on_recheck(void* self) {
  auto& watch = *static_cast<Http1Watch*>(self);
  if (peer_has_closed(watch.stream_.fd())) {
    watch.cancellation_.cancel(reasons::client_gone);
  } else {
    watch.shared_.wheel.arm_after(watch.recheck_, recheck_interval);
  }
}

Task<> Http1Watch::quiet() {
  while (pending_ > 0) co_await asio::post(stream_.executor(), use_task);
}

}  // namespace tollgate::http
