#include "http/http1_stream.hpp"

#include <sys/socket.h>

#include <array>

namespace tollgate::http {

Http1Stream::Http1Stream(ServerShared& shared, EventLoop& loop, UniqueFd connected)
    : fd_(connected.release()),
      socket_(loop),
      shared_(shared),
      read_poll_(shared.read_poll),
      readable_wakeup_(loop.get_executor()),
      sent_(loop.get_executor()) {}

TcpSocket& Http1Stream::socket() {
  if (fd_ >= 0 && !socket_.is_open()) {
    error_code failed;  // then it stays closed, and every wait fails
    socket_.assign(asio::ip::tcp::v6(), fd_, failed);
  }
  return socket_;
}

void Http1Stream::Wait::begin(Phase waiting_phase) {
  phase = waiting_phase;
  expired = Phase::none;
  until = std::chrono::steady_clock::now() + stream.shared_.timeout(phase);
  if (!deadline.armed() || until < armed_at) arm();
}

void Http1Stream::Wait::arm() {
  armed_at = until;
  stream.shared_.wheel.arm(deadline, until);
}

void Http1Stream::Wait::on_deadline(void* self) {
  auto& wait = *static_cast<Wait*>(self);
  if (wait.phase == Phase::none) return;
  if (wait.until > wait.armed_at) return wait.arm();
  wait.expired = wait.phase;
  ++wait.stream.shared_.counters.timeouts[static_cast<std::size_t>(wait.phase)];
  // A reader's time has passed: answers to earlier requests may still be on their way.
  if (&wait == &wait.stream.reading_) return wait.stream.interrupt_read();
  wait.stream.interrupt();
}

void Http1Stream::begin_wait(Phase phase) {
  reading_.begin(phase);
}

void Http1Stream::end_wait() {
  reading_.end();
}

void Http1Stream::interrupt() {
  error_code ignored;
  if (socket_.is_open()) socket_.cancel(ignored);
  interrupt_read();
}

void Http1Stream::interrupt_read() {
  if (!reader_waits_ || interrupted_) return;
  interrupted_ = true;
  readable_wakeup_.notify_later();
}

void Http1Stream::cut() {
  ::shutdown(fd_, SHUT_RDWR);
  interrupt();
}

void Http1Stream::reset_on_close() {
  const ::linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Http1Stream::close() {
  reading_.deadline.disarm();
  writing_.deadline.disarm();
  const int fd = std::exchange(fd_, -1);
  if (std::exchange(watched_, false)) read_poll_.forget(fd, *this);
  error_code ignored;
  if (socket_.is_open()) {
    socket_.close(ignored);
  } else if (fd >= 0) {
    ::close(fd);
  }
}

Task<> Http1Stream::quiet() {
  while (write_under_way_) co_await asio::post(socket_.get_executor(), use_task);
}

std::optional<Http1Stream::Received> Http1Stream::receive(std::span<char> space) {
  reader_waits_ = false;
  const bool interrupted = std::exchange(interrupted_, false);
  if (received_) return std::exchange(received_, std::nullopt);  // before the interruption came
  if (interrupted) return Received{asio::error::operation_aborted};
  if (const auto received = attempt(space)) return received;
  if (!watch()) return Received{asio::error::no_descriptors};
  return std::nullopt;
}

std::optional<Http1Stream::Received> Http1Stream::attempt(std::span<char> space) {
  while (may_have_more_) {
    const ssize_t size = ::recv(fd_, space.data(), space.size(), MSG_DONTWAIT);
    if (size > 0) {
      const auto bytes = static_cast<std::size_t>(size);
      may_have_more_ = !watched_ || stream_ends_ || bytes == space.size();
      return Received{{}, bytes};
    }
    if (size == 0) return Received{asio::error::eof};
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return Received{error_code(errno, boost::system::system_category())};
    may_have_more_ = false;
  }
  return std::nullopt;
}

bool Http1Stream::watch() {
  watched_ = watched_ || read_poll_.watch(fd_, *this);
  return watched_;
}

void Http1Stream::listen_for_end(EndListener& listener) {
  if (fd_ < 0) return;
  end_listener_ = &listener;
  if (stream_ends_) {
    read_poll_.tell_again(fd_, *this);
  } else {
    watch();  // without it the end is noticed by the next write
  }
}

void Http1Stream::on_readable(ReadPoll::Seen seen) {
  may_have_more_ = true;
  stream_ends_ = stream_ends_ || seen == ReadPoll::Seen::end;
  if (reader_waits_ && !interrupted_ && !received_) received_ = attempt(awaited_space_);
}

void Http1Stream::go_on() {
  if (reader_waits_) {
    readable_wakeup_.notify();
  } else if (stream_ends_ && end_listener_ != nullptr) {
    std::exchange(end_listener_, nullptr)->on_end();
  }
}

Task<expected<std::size_t, const Reason*>> Http1Stream::read_some(std::span<char> space, Phase phase) {
  begin_wait(phase);
  std::optional<Received> received = receive(space);
  while (!received) {
    co_await readable(space);
    received = receive(space);
  }
  end_wait();
  if (!received->error) co_return received->bytes;
  if (received->error == asio::error::eof) co_return std::size_t{0};
  co_return unexpected(reading_.expired != Phase::none ? &reasons::request_timeout : &reasons::client_gone);
}

bool Http1Stream::send_at_turn_end(std::string& message) {
  if (write_under_way_) return false;  // the bytes it sends must not move
  if (waiting_.empty()) {
    waiting_.swap(message);
  } else {
    if (waiting_.size() + message.size() > waiting_bytes_max) return false;
    waiting_.append(message);
  }
  shared_.turn_end.add(*this);
  return true;
}

void Http1Stream::send_waiting_now() {
  if (waiting_.empty() || write_under_way_) return;
  const ssize_t taken = ::send(fd_, waiting_.data(), waiting_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (taken == static_cast<ssize_t>(waiting_.size())) {
    waiting_.clear();
    if (waiting_.capacity() > waiting_bytes_kept) std::string().swap(waiting_);
  } else if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    waiting_.clear();
    client_gone_ = true;
  } else {
    if (taken > 0) waiting_.erase(0, static_cast<std::size_t>(taken));
    send_waiting_later();
  }
}

void Http1Stream::send_waiting_later() {
  write_under_way_ = true;
  writing_.begin(Phase::write);
  socket().async_write_some(asio::const_buffer(waiting_.data(), waiting_.size()),
                            [this](const error_code& error, std::size_t size) {
                              write_under_way_ = false;
                              writing_.end();
                              client_gone_ = client_gone_ || error;
                              waiting_.erase(0, client_gone_ ? waiting_.size() : size);
                              if (!waiting_.empty()) return send_waiting_later();
                              if (client_gone_) interrupt();
                              sent_.notify_later();
                            });
}

Task<> Http1Stream::send_waiting() {
  sending_left_ = false;
  send_waiting_now();
  while (!waiting_.empty() && !sending_left_) {
    if (!sent_.take()) co_await sent_.wait();
  }
}

void Http1Stream::leave_sending() {
  sending_left_ = true;
  sent_.notify_later();
}

Task<expected<void, const Reason*>> Http1Stream::send_small(std::string_view message) {
  co_await send_waiting();
  if (!client_gone_ && waiting_.empty()) {
    waiting_.assign(message);
    co_await send_waiting();
  }
  if (client_gone_) co_return unexpected(&why_not_sent());
  co_return expected<void, const Reason*>{};
}

const Reason& Http1Stream::why_not_sent() const {
  return writing_.expired != Phase::none ? reasons::write_timeout : reasons::client_gone;
}

std::ptrdiff_t Http1Stream::try_write(std::span<iovec> pieces) {
  send_waiting_now();
  if (client_gone_) return -1;
  if (!waiting_.empty()) return 0;
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  ssize_t taken = 0;
  if (pieces.size() == 1) {
    taken = ::send(fd_, pieces[0].iov_base, pieces[0].iov_len, flags);
  } else {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    taken = ::sendmsg(fd_, &message, flags);
  }
  if (taken >= 0) return taken;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

Task<expected<void, const Reason*>> Http1Stream::write_rest(std::span<iovec> pieces, std::size_t taken) {
  std::array<asio::const_buffer, iovec_max> buffers;
  co_await send_waiting();
  if (client_gone_) co_return unexpected(&why_not_sent());
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
    writing_.begin(Phase::write);
    const std::span<const asio::const_buffer> rest(buffers.data(), count);
    const auto [error, size] = co_await socket().async_write_some(rest, use_task_tuple);
    writing_.end();
    if (error) co_return unexpected(&why_not_sent());
    taken = size;
  }
}

Task<> Http1Stream::linger(std::size_t bytes_max) {
  co_await send_waiting();
  ::shutdown(fd_, SHUT_WR);
  BodyBuffer away = shared_.take_body_buffer();
  begin_wait(Phase::linger);
  for (std::size_t read = 0; read < bytes_max && reading_.expired == Phase::none;) {
    const std::optional<Received> received = receive(*away);
    if (!received) {
      co_await readable(*away);
      continue;
    }
    if (received->error) break;
    read += received->bytes;
    // A fast client's upload must not keep the loop from the others.
    co_await asio::post(executor(), use_task);
  }
  end_wait();
  shared_.give_back(std::move(away));
}

}  // namespace tollgate::http
