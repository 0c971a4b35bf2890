#include "http/http1_stream.hpp"

#include <sys/socket.h>

#include <array>

namespace tollgate::http {

Http1Stream::Http1Stream(ServerShared& shared, TcpSocket socket)
    : socket_(std::move(socket)), shared_(shared), deadline_(&on_deadline, this) {}

void Http1Stream::begin_wait(Phase phase) {
  phase_ = phase;
  expired_ = Phase::none;
  shared_.wheel.arm_after(deadline_, shared_.timeout(phase));
}

void Http1Stream::end_wait() {
  phase_ = Phase::none;
  deadline_.disarm();
}

void Http1Stream::on_deadline(void* self) {
  auto& stream = *static_cast<Http1Stream*>(self);
  stream.expired_ = stream.phase_;
  ++stream.shared_.counters.timeouts[static_cast<std::size_t>(stream.phase_)];
  stream.interrupt();
}

void Http1Stream::interrupt() {
  error_code ignored;
  socket_.cancel(ignored);
}

void Http1Stream::cut() {
  error_code ignored;
  socket_.shutdown(TcpSocket::shutdown_both, ignored);
  socket_.cancel(ignored);
}

void Http1Stream::close() {
  end_wait();
  error_code ignored;
  socket_.close(ignored);
}

Task<expected<std::size_t, const Reason*>> Http1Stream::read_some(std::span<char> space, Phase phase) {
  begin_wait(phase);
  const asio::mutable_buffer buffer(space.data(), space.size());
  const auto [error, size] = co_await socket_.async_read_some(buffer, use_task_tuple);
  end_wait();
  if (!error) co_return size;
  if (error == asio::error::eof) co_return std::size_t{0};
  co_return unexpected(expired_ != Phase::none ? &reasons::request_timeout : &reasons::client_gone);
}

std::ptrdiff_t Http1Stream::try_write(std::span<iovec> pieces) {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  const ssize_t taken = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (taken >= 0) return taken;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

Task<expected<void, const Reason*>> Http1Stream::write_rest(std::span<iovec> pieces, std::size_t taken) {
  std::array<asio::const_buffer, iovec_max> buffers;
  for (;;) {
    std::size_t count = 0;
    for (iovec& piece : pieces) {
      const std::size_t used = std::min(taken, piece.iov_len);
      piece.iov_base = static_cast<char*>(piece.iov_base) + used;
      piece.iov_len -= used;
      taken -= used;
      if (piece.iov_len > 0) buffers[count++] = asio::const_buffer(piece.iov_base, piece.iov_len);
    }
    if (count == 0) co_return expected<void, const Reason*>{};
    begin_wait(Phase::write);
    const std::span<const asio::const_buffer> rest(buffers.data(), count);
    const auto [error, size] = co_await socket_.async_write_some(rest, use_task_tuple);
    end_wait();
    if (error)
      co_return unexpected(expired_ != Phase::none ? &reasons::write_timeout : &reasons::client_gone);
    taken = size;
  }
}

Task<> Http1Stream::linger(std::size_t bytes_max) {
  error_code error;
  socket_.shutdown(TcpSocket::shutdown_send, error);
  BodyBuffer away = shared_.take_body_buffer();
  const asio::mutable_buffer buffer(away->data(), away->size());
  begin_wait(Phase::linger);
  for (std::size_t read = 0; read < bytes_max && !error;) {
    const auto [failed, size] = co_await socket_.async_read_some(buffer, use_task_tuple);
    error = failed;
    read += size;
  }
  end_wait();
  shared_.give_back(std::move(away));
}

}  // namespace tollgate::http
