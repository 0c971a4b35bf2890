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
      watch_(shared, stream_, cancellation_),
      body_(shared, stream_, parser_, watch_),
      response_(shared, stream_, body_) {}

Task<> Http1Connection::run(std::unique_ptr<Http1Connection> connection) {
  try {
    co_await connection->serve();
  } catch (...) {  // out of memory: this connection's end, not the worker's
  }
  connection->watch_.stop();
  connection->stream_.close();
  co_await connection->watch_.quiet();
  connection->owner_.ended(*connection);
}

Task<> Http1Connection::serve() {
  for (;;) {
    parser_.reset();
    const Next next = co_await read_head();
    if (next == Next::refused) {
      co_await refuse(*parser_.why().reason, parser_.why().what, parser_.refused_request_id());
    }
    const std::string_view nothing;
    if (next == Next::timed_out) co_await refuse(reasons::request_timeout, nothing, nothing);
    if (next != Next::request) co_return;
    const bool keep = co_await answer();
    if (!keep) co_return;
  }
}

// Reads until a head is complete. The usual one is there in one piece, so that one read and no deadline but
// the idle one is all it takes.
Task<Http1Connection::Next> Http1Connection::read_head() {
  InputBuffer& input = stream_.input();
  if (input.unread().empty()) {
    input.shrink();
    answered_in_turn_ = 0;
    const bool first = !answered_any();  // often there when the connection is accepted
    const bool was_last = !first && (closing_ || shared_.draining);
    if (first || was_last) {
      const bool received = receive_now();
      if (was_last && !received) co_return Next::closed;
    }
  }
  auto progress = RequestParser::Progress::incomplete;
  if (!input.unread().empty()) progress = parser_.parse_head(input.unread());
  if (progress == RequestParser::Progress::incomplete) begin_head_wait();
  while (progress == RequestParser::Progress::incomplete) {
    input.make_space();
    const std::span<char> space = input.space();
    const asio::mutable_buffer buffer(space.data(), space.size());
    const auto [error, size] = co_await stream_.socket().async_read_some(buffer, use_task_tuple);
    const bool first_bytes = input.unread().empty();
    const bool closed_while_idle = error && closing_ && waiting_idle_ && stream_.expired() == Phase::none;
    if (!error) {
      input.append(size);
    } else if (!closed_while_idle || !receive_now()) {
      const bool late = stream_.expired() == Phase::head && !first_bytes;
      leave_idle();
      stream_.end_wait();
      co_return late ? Next::timed_out : Next::closed;
    }
    if (first_bytes) leave_idle();
    progress = parser_.parse_head(input.unread());
    if (progress == RequestParser::Progress::incomplete && stream_.waiting_in() == Phase::idle) {
      stream_.begin_wait(Phase::head);
    }
  }
  stream_.end_wait();
  received_ = std::chrono::steady_clock::now();
  co_return progress == RequestParser::Progress::complete ? Next::request : Next::refused;
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

// One exchange. True when the connection stands at the next request.
Task<bool> Http1Connection::answer() {
  ++shared_.counters.requests;
  stream_.input().consume(parser_.head_bytes());
  body_.begin();
  cancellation_.reset();

  std::string_view request_id = parser_.client_request_id();
  if (request_id.empty()) request_id = shared_.request_ids.next();
  request_id.copy(request_id_.data(), request_id_.size());

  Exchange exchange{.request = parser_.request(),
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
  const bool wanted = parser_.keep_alive() && !closing_;
  response_.begin(exchange,
                  wanted ? Http1Response::ClientWants::keep_alive : Http1Response::ClientWants::close);
  co_await handle(exchange);
  watch_.stop();

  if (!response_.keeps_connection()) body_.abandon();
  const bool at_next = co_await body_.finish();
  if (at_next && response_.keeps_connection()) {
    if (++answered_in_turn_ % shared_.limits.pipelined_turn_max == 0) {
      co_await asio::post(stream_.executor(), use_task);
    }
    co_return true;
  }
  // Closing over unread bytes would reset the connection and the answer with it. A client that asked for the
  // close has sent nothing more.
  const bool unread =
      !body_.reusable() || !stream_.input().unread().empty() || (wanted && unread_in_socket());
  if (response_.complete() && unread) co_await stream_.linger(shared_.limits.linger_bytes_max);
  co_return false;
}

Task<> Http1Connection::handle(Exchange& exchange) {
  bool threw = false;
  try {
    co_await shared_.handler.handle(exchange);
  } catch (...) {  // out of memory, or a defect: this exchange's end, not the worker's
    threw = true;
  }
  if (!response_.started() && cancellation_.cause() == nullptr) {
    exchange.extra_fields = {};
    const auto sent = co_await send_error(exchange, reasons::internal);
    static_cast<void>(sent);
  } else if (!response_.complete() || threw) {
    response_.abort();
  }
}

bool Http1Connection::unread_in_socket() {
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
  if (waiting_idle_) stream_.interrupt();
}

void Http1Connection::cut() {
  closing_ = true;
  cancellation_.cancel(reasons::client_gone);
  stream_.cut();
}

}  // namespace tollgate::http
