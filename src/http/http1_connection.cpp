#include "http/http1_connection.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>

namespace tollgate::http {

Http1Connection::Http1Connection(ServerShared& shared, ConnectionOwner& owner, EventLoop& loop,
                                 UniqueFd connected, const Endpoint& remote, const Endpoint& local)
    : shared_(shared),
      owner_(owner),
      remote_(remote),
      local_(local),
      parser_(shared.limits.head),
      stream_(shared, loop, std::move(connected)),
      watch_(stream_, cancellation_),
      body_(shared, stream_, parser_, watch_),
      response_(shared, stream_, body_) {}

Task<> Http1Connection::run(std::unique_ptr<Http1Connection> connection) {
  try {
    co_await connection->serve();
  } catch (...) {  // NOLINT(bugprone-empty-catch): out of memory is this connection's end, not the worker's
  }
  connection->watch_.stop();
  co_await connection->stream_.send_waiting();
  connection->stream_.close();
  co_await connection->stream_.quiet();
  connection->owner_.ended(*connection);
}

Task<> Http1Connection::serve() {
  for (;;) {
    Next next = begin_head();
    while (next == Next::more) {
      stream_.input().make_space();
      if (const auto received = stream_.receive(stream_.input().space())) {
        next = on_head_bytes(received->error, received->bytes);
      } else {
        co_await stream_.readable(stream_.input().space());
      }
    }
    if (next == Next::refused) {
      co_await refuse(*parser_.why().reason, parser_.why().what, parser_.refused_request_id());
    }
    const std::string_view nothing;
    if (next == Next::timed_out) co_await refuse(reasons::request_timeout, nothing, nothing);
    if (next != Next::request) co_return;

    Exchange exchange = begin_exchange();
    const bool wanted = parser_.keep_alive() && !closing_;
    response_.begin(exchange,
                    wanted ? Http1Response::ClientWants::keep_alive : Http1Response::ClientWants::close);
    try {
      Task<> answer = shared_.handler.handle(exchange);
      if (answer.valid()) co_await std::move(answer);
    } catch (...) {  // NOLINT(bugprone-empty-catch): a defect is this exchange's end, not the worker's
    }
    if (!response_.complete()) co_await settle(exchange);
    watch_.stop();

    if (!response_.keeps_connection()) body_.abandon();
    if (body_.has_rest()) co_await body_.read_rest();
    const bool at_next = body_.finish();
    if (!at_next || !response_.keeps_connection()) {
      if (response_.complete() && closes_over_unread())
        co_await stream_.linger(shared_.limits.linger_bytes_max);
      co_return;
    }
    if (++answered_in_turn_ % shared_.limits.pipelined_turn_max == 0) {
      co_await asio::post(stream_.executor(), use_task);
    }
  }
}

// The usual head is there in one piece, so that one read and no deadline but the idle one is all it takes.
// `more`: a wait has begun.
Http1Connection::Next Http1Connection::begin_head() {
  parser_.reset();
  InputBuffer& input = stream_.input();
  if (input.unread().empty()) {
    input.shrink();
    answered_in_turn_ = 0;
    const bool first = !answered_any();  // often there when the connection is accepted
    const bool was_last = !first && (closing_ || shared_.closes_idle);
    if (first || was_last) {
      const bool received = receive_now();
      if (was_last && !received) return Next::closed;
    }
  }
  const Next next = input.unread().empty() ? Next::more : parse_head();
  if (next == Next::more) begin_head_wait();
  return next;
}

Http1Connection::Next Http1Connection::parse_head() {
  const RequestParser::Progress progress = parser_.parse_head(stream_.input().unread());
  if (progress == RequestParser::Progress::incomplete) return Next::more;
  stream_.end_wait();
  received_ = std::chrono::steady_clock::now();
  return progress == RequestParser::Progress::complete ? Next::request : Next::refused;
}

// A read of begin_head's wait has ended.
Http1Connection::Next Http1Connection::on_head_bytes(const error_code& error, std::size_t size) {
  InputBuffer& input = stream_.input();
  const bool first_bytes = input.unread().empty();
  const bool closed_while_idle = error && closing_ && waiting_idle_ && stream_.expired() == Phase::none;
  if (!error) {
    input.append(size);
  } else if (!closed_while_idle || !receive_now()) {
    const bool late = stream_.expired() == Phase::head && !first_bytes;
    leave_idle();
    stream_.end_wait();
    return late ? Next::timed_out : Next::closed;
  }
  if (first_bytes) leave_idle();
  const Next next = parse_head();
  if (next == Next::more && stream_.waiting_in() == Phase::idle) stream_.begin_wait(Phase::head);
  return next;
}

void Http1Connection::begin_head_wait() {
  const bool nothing_yet = stream_.input().unread().empty();
  stream_.begin_wait(nothing_yet && answered_any() ? Phase::idle : Phase::head);
  if (!nothing_yet) return;
  waiting_idle_ = true;
  owner_.idle(*this);
}

void Http1Connection::leave_idle() {
  if (!waiting_idle_) return;
  waiting_idle_ = false;
  owner_.busy(*this);
}

// What has arrived, without waiting: a request may have crossed the decision to close.
bool Http1Connection::receive_now() {
  stream_.input().make_space();
  const std::span<char> space = stream_.input().space();
  const ssize_t size = ::recv(stream_.fd(), space.data(), space.size(), MSG_DONTWAIT);
  if (size <= 0) return false;
  stream_.input().append(static_cast<std::size_t>(size));
  return true;
}

Exchange Http1Connection::begin_exchange() {
  ++shared_.counters.requests;
  stream_.input().consume(parser_.head_bytes());
  body_.begin();
  cancellation_.reset();

  std::string_view request_id = parser_.client_request_id();
  if (request_id.empty()) request_id = shared_.request_ids.next();
  request_id.copy(request_id_.data(), request_id_.size());

  return {.request = parser_.request(),
          .body = body_,
          .response = response_,
          .cancellation = cancellation_,
          .remote_address = remote_.address(),
          .remote_port = remote_.port(),
          .local_address = local_.address(),
          .local_port = local_.port(),
          .received = received_,
          .request_id = {request_id_.data(), request_id.size()},
          .extra_fields = {},
          .client_watch = watch_};
}

// The handler has ended without a complete response.
Task<> Http1Connection::settle(Exchange& exchange) {
  if (response_.started() || cancellation_.cause() != nullptr) {
    response_.abort();
    co_return;
  }
  exchange.extra_fields = {};
  const auto sent = co_await send_error(exchange, reasons::internal);
  static_cast<void>(sent);
}

// Closing over unread bytes would reset the connection and the answer with it. A client that asked for the
// close has sent nothing more.
bool Http1Connection::closes_over_unread() {
  if (!body_.reusable() || !stream_.input().unread().empty()) return true;
  if (!parser_.keep_alive() || closing_) return false;
  int pending = 0;
  return ::ioctl(stream_.fd(), FIONREAD, &pending) == 0 && pending > 0;
}

// A head that became no exchange: answered as far as the client can still be reached, then the connection
// ends.
Task<> Http1Connection::refuse(const Reason& reason, std::string_view detail, std::string_view request_id) {
  ++shared_.counters.refused;
  shared_.handler.refused(reason, remote_.address());
  std::string body(reason.text);
  if (!detail.empty()) body.append(" Refused: ").append(detail).append(".");
  body.append("\n");
  const Field fields[] = {{"Content-Type", "text/plain; charset=utf-8"}, {"x-tollgate-error", reason.word}};
  const ResponseHead head{reason.status, fields};
  std::string message;
  append_head(message, {.head = head,
                        .extra_fields = {},
                        .request_id = request_id.empty() ? shared_.request_ids.next() : request_id,
                        .date_line = shared_.date.now(),
                        .framing = {BodyFraming::Kind::length, body.size()},
                        .persistence = Persistence::close});
  if (!parser_.method_is_head()) message.append(body);
  iovec pieces[] = {{message.data(), message.size()}};
  const std::ptrdiff_t taken = stream_.try_write(pieces);
  if (taken != static_cast<std::ptrdiff_t>(message.size())) co_return;
  co_await stream_.linger(shared_.limits.linger_bytes_max);
}

void Http1Connection::close_idle() {
  closing_ = true;
  if (waiting_idle_) stream_.interrupt_read();
}

void Http1Connection::cut() {
  closing_ = true;
  cancellation_.cancel(reasons::client_gone);
  stream_.cut();
}

}  // namespace tollgate::http
