#include "http/client_connection.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "http/client_limits.hpp"
#include "http/client_pool.hpp"

namespace tollgate::http {

ClientConnection::ClientConnection(Executor executor, TimerWheel& wheel)
    : socket_(executor),
      wheel_(wheel),
      arrival_(executor),
      read_deadline_(
          [](void* context) {
            auto& self = *static_cast<ClientConnection*>(context);
            if (self.pool_ != nullptr) return self.pool_->forget(self);
            self.timed_out_ = true;
            self.arrival_.notify();
          },
          this),
      write_deadline_(
          [](void* context) {
            auto& self = *static_cast<ClientConnection*>(context);
            self.fail(ClientFailure::timeout);
            self.close();
          },
          this) {}

Task<ClientFailure> ClientConnection::connect(std::span<const Endpoint> endpoints, Duration timeout) {
  const SteadyTime begun = std::chrono::steady_clock::now();
  const SteadyTime end = begun + timeout;
  std::size_t left = endpoints.size();
  for (const Endpoint& endpoint : endpoints) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= end) break;
    const SteadyTime until = now + (end - now) / left--;
    error_ = co_await connect_to(endpoint, until);
    if (failure_ == ClientFailure::cancelled) co_return failure_;
    if (!error_) {
      endpoint_ = endpoint;
      failure_ = ClientFailure::none;
      co_return failure_;
    }
  }
  const bool late = error_ == asio::error::timed_out || error_ == asio::error::operation_aborted;
  failure_ = late ? ClientFailure::connect_timeout : ClientFailure::connect;
  co_return failure_;
}

Task<error_code> ClientConnection::connect_to(const Endpoint& endpoint, SteadyTime until) {
  error_code error;
  socket_.close(error);
  closed_ = false;
  failure_ = ClientFailure::none;
  socket_.open(endpoint.protocol(), error);
  if (error) co_return error;
  socket_.non_blocking(true, error);
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  wheel_.arm(write_deadline_, until);
  const auto [result] = co_await socket_.async_connect(endpoint, use_task_tuple);
  write_deadline_.disarm();
  // The deadline closes the socket; a connection that was made just before that is gone as well.
  co_return closed_ ? error_code(asio::error::timed_out) : result;
}

void ClientConnection::begin(Method method) {
  parser_.start(method);
  method_ = method;
  failure_ = ClientFailure::none;
  interim_responses_ = 0;
  heard_anything_ = false;
  early_response_ = false;
  request_sent_ = false;
  write_failed_ = false;
  timed_out_ = false;
  unsent_ = {};
}

ClientConnection::Sent ClientConnection::send(std::string_view first, std::string_view second,
                                              std::string_view third) {
  unsent_ = {first, second, third};
  while (!closed_ && !write_failed_) {
    std::array<iovec, 3> pieces{};
    std::size_t count = 0;
    for (const std::string_view piece : unsent_) {
      if (!piece.empty()) pieces[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    if (count == 0) return Sent::all;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t taken = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Sent::rest;
      error_.assign(errno, boost::system::system_category());
      write_failed_ = true;
      break;
    }
    auto bytes = static_cast<std::size_t>(taken);
    for (std::string_view& piece : unsent_) {
      const std::size_t part = std::min(bytes, piece.size());
      piece.remove_prefix(part);
      bytes -= part;
    }
  }
  return Sent::all;
}

Task<ClientFailure> ClientConnection::flush(Duration timeout) {
  while (!closed_ && send(unsent_[0], unsent_[1], unsent_[2]) == Sent::rest) {
    wheel_.arm_after(write_deadline_, timeout);
    const auto [error] = co_await socket_.async_wait(TcpSocket::wait_write, use_task_tuple);
    write_deadline_.disarm();
    if (error) co_return fail(ClientFailure::cancelled);
  }
  co_return failure_;
}

ClientConnection::Progress ClientConnection::read_head() {
  using State = ResponseParser::State;
  if (parser_.state() == State::complete && parser_.is_interim() && interim_responses_ > 0)
    parser_.start(method_);
  while (unread_begin_ < unread_end_) {
    const ResponseParser::Fed fed =
        parser_.feed({buffer_.get() + unread_begin_, unread_end_ - unread_begin_});
    unread_begin_ += fed.consumed;
    if (fed.state == State::refused) {
      fail(ClientFailure::response);
      return Progress::failed;
    }
    if (fed.state == State::head) continue;
    if (!request_sent_) early_response_ = true;
    if (parser_.is_interim() && ++interim_responses_ > client_limits::interim_responses_max) {
      fail(ClientFailure::interim_flood);
      return Progress::failed;
    }
    return Progress::ready;
  }
  if (failure_ != ClientFailure::none) return Progress::failed;
  if (!ended_) return Progress::more;
  fail(heard_anything_ && parser_.feed_end() == State::refused ? ClientFailure::response
                                                               : ClientFailure::closed);
  return Progress::failed;
}

ClientConnection::Progress ClientConnection::read_body(std::string_view& piece) {
  using State = ResponseParser::State;
  piece = {};
  while (parser_.state() == State::body && unread_begin_ < unread_end_) {
    const ResponseParser::Fed fed =
        parser_.feed({buffer_.get() + unread_begin_, unread_end_ - unread_begin_});
    unread_begin_ += fed.consumed;
    if (fed.state == State::refused) break;
    if (!fed.body.empty()) {
      piece = fed.body;
      return Progress::ready;
    }
  }
  if (parser_.state() == State::body && failure_ == ClientFailure::none && !ended_) return Progress::more;
  // A reset is not an end: a body that lasts as long as the connection must be closed in order.
  if (parser_.state() == State::body && ended_well_) parser_.feed_end();
  if (parser_.state() == State::complete) return Progress::ready;
  fail(ClientFailure::cut);
  return Progress::failed;
}

void ClientConnection::begin_wait(SteadyTime until) {
  receive();
  timed_out_ = false;
  wheel_.arm(read_deadline_, until);
}

ClientConnection::Waited ClientConnection::end_wait() {
  read_deadline_.disarm();
  return timed_out_ ? Waited::timed_out : Waited::arrived;
}

void ClientConnection::receive() {
  if (receiving_ || ended_ || closed_) return;
  const bool streaming = parser_.state() == ResponseParser::State::body;
  const std::size_t wanted =
      streaming ? client_limits::receive_bytes_streaming : client_limits::receive_bytes;
  if (buffer_bytes_ < wanted) {
    buffer_ = std::make_unique_for_overwrite<char[]>(wanted);
    buffer_bytes_ = wanted;
  }
  unread_begin_ = unread_end_ = 0;
  receiving_ = true;
  socket_.async_read_some(asio::buffer(buffer_.get(), buffer_bytes_),
                          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                            self->on_received(error, bytes);
                          });
}

void ClientConnection::on_received(const error_code& error, std::size_t bytes) {
  receiving_ = false;
  if (error) {
    ended_ = true;
    ended_well_ = error == asio::error::eof;
    if (!closed_) error_ = error;
  } else {
    unread_end_ = bytes;
    heard_anything_ = true;
  }
  if (pool_ != nullptr) return pool_->forget(*this);
  arrival_.notify();
}

ClientFailure ClientConnection::fail(ClientFailure failure) {
  if (failure_ == ClientFailure::none) failure_ = failure;
  return failure_;
}

bool ClientConnection::reusable() const {
  return complete() && failure_ == ClientFailure::none && !parser_.is_interim() &&
         parser_.keeps_connection() && unread_begin_ == unread_end_ && request_sent_ && !early_response_ &&
         !write_failed_ && !ended_ && !closed_;
}

void ClientConnection::close() {
  if (closed_) return;
  closed_ = true;
  fail(ClientFailure::cancelled);
  read_deadline_.disarm();
  write_deadline_.disarm();
  error_code ignored;
  socket_.close(ignored);
  arrival_.notify_later();
}

void ClientConnection::enter_idle(ClientPool& pool, SteadyTime until) {
  arrival_.take();
  if (buffer_bytes_ > client_limits::receive_bytes) {
    buffer_.reset();
    buffer_bytes_ = 0;
  }
  parser_.start(Method::get);
  pool_ = &pool;
  wheel_.arm(read_deadline_, until);
  receive();
}

void ClientConnection::leave_idle() {
  pool_ = nullptr;
  read_deadline_.disarm();
}

bool ClientConnection::looks_alive() const {
  char byte = 0;
  const ssize_t bytes =
      ::recv(const_cast<TcpSocket&>(socket_).native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return bytes < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace tollgate::http
