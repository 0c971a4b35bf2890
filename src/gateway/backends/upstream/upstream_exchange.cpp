#include "gateway/backends/upstream/upstream_exchange.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <charconv>

#include "gateway/reasons.hpp"

namespace tollgate::gateway {
namespace {

using http::ClientConnection;
using http::ClientFailure;

// How long an exchange waits before it also watches for its client going away: that costs system calls, which
// upstreams that answer at once need not pay.
constexpr std::chrono::milliseconds watch_after{100};

bool is_idempotent(http::Method method) {
  switch (method) {
    case http::Method::get:
    case http::Method::head:
    case http::Method::put:
    case http::Method::delete_:
    case http::Method::options:
    case http::Method::trace:
      return true;
    default:
      return false;
  }
}

// Responses without a body whose head speaks of the body that a GET would have had (RFC 9110 section 8.6).
bool describes_another_body(const http::ResponseParser& response, http::Method method) {
  return response.status() == 304 || (method == http::Method::head && response.status() != 204);
}

void close_connection(void* context, const http::Reason&) {
  (*static_cast<std::shared_ptr<ClientConnection>*>(context))->close();
}

}  // namespace

UpstreamExchange::UpstreamExchange(Executor executor, RequestContext& context, Upstream& upstream,
                                   const UpstreamTarget& target)
    : executor_(executor),
      context_(context),
      exchange_(context.exchange),
      upstream_(upstream),
      target_(target),
      framing_(frame_request(exchange_.request)),
      pump_ended_(executor) {}

// The usual exchange (a pooled connection, no body or a whole one, an answer that arrives in one piece)
// suspends once, for the answer, and stays in this one coroutine: each further frame would cost as much as
// reading the head.
Task<> UpstreamExchange::run(Executor executor, RequestContext& context, Upstream& upstream,
                             const UpstreamTarget& target) {
  UpstreamExchange self(executor, context, upstream, target);
  if (!self.body_is_allowed()) co_return;
  Verdict verdict = Verdict::retry;
  for (int attempt = 0; attempt < 2 && verdict == Verdict::retry; ++attempt) {
    verdict = self.take_connection(attempt);
    const http::Cancellation::Guard guard(self.exchange_.cancellation, {close_connection, &self.connection_});
    if (verdict == Verdict::go_on && !self.pooled_) verdict = co_await self.connect();
    if (verdict == Verdict::go_on && self.send_head() == Sent::rest) verdict = co_await self.flush_head();
    if (verdict == Verdict::go_on) self.send_body();
    bool has_head = false;
    while (verdict == Verdict::go_on && !has_head) {
      const Progress progress = self.connection_->read_head();
      if (progress == Progress::failed) {
        verdict = self.judge_failure();
      } else if (progress == Progress::more) {
        self.begin_wait();
        if (!self.connection_->arrival().take()) co_await self.connection_->arrival().wait();
        verdict = self.end_wait();
      } else if (self.connection_->response().is_interim()) {
        co_await self.forward_interim();
      } else {
        has_head = true;
      }
    }
    if (has_head) {
      std::string_view piece;
      const Answer answer = self.look_at_answer(piece);
      if (answer == Answer::whole) {
        auto sent = self.exchange_.response.try_send(self.head_, piece);
        if (!sent) sent = co_await self.exchange_.response.send(self.head_, piece);
        if (!*sent) self.client_failed(*sent->error());
      } else if (answer == Answer::in_pieces) {
        co_await self.respond_in_pieces(piece);
      }
    }
    if (self.pumping_) co_await self.stop_pump();
  }
  self.stop_watching();
  upstream.pool.give_back(std::move(self.connection_));
}

UpstreamExchange::Verdict UpstreamExchange::take_connection(int attempt) {
  const auto check = may_be_sent_again() ? http::ClientPool::Check::none : http::ClientPool::Check::alive;
  connection_ = attempt == 0 ? upstream_.pool.take(check) : nullptr;
  pooled_ = connection_ != nullptr;
  if (!pooled_) connection_ = upstream_.pool.make();
  if (exchange_.cancellation.cause() != nullptr) return fail(*exchange_.cancellation.cause(), {});
  if (pooled_) ++context_.upstream.reuses;
  return Verdict::go_on;
}

bool UpstreamExchange::body_is_allowed() {
  const std::uint64_t allowed = context_.route.limits.body_bytes;
  const http::Request& request = exchange_.request;
  exchange_.body.limit(allowed);
  if (request.content_length && *request.content_length == 0) {
    whole_body_ = "";
    return true;
  }
  whole_body_ = exchange_.body.all_if_buffered();
  const std::uint64_t known = whole_body_ ? whole_body_->size() : request.content_length.value_or(0);
  if (known > allowed) {
    fail(http::reasons::body_too_large, {});
    return false;
  }
  if (whole_body_) {
    if (exchange_.body.trailers().size() > 0) {
      whole_body_.reset();  // trailers need chunks
    } else {
      framing_ = {RequestFraming::Kind::length, whole_body_->size()};
    }
  }
  return true;
}

bool UpstreamExchange::may_be_sent_again() const {
  return is_idempotent(exchange_.request.method) && whole_body_ && whole_body_->empty();
}

Task<UpstreamExchange::Verdict> UpstreamExchange::connect() {
  if (upstream_.endpoints.empty()) co_return fail(reasons::upstream_address, target_.authority);
  ++context_.upstream.connects;
  const Endpoints endpoints = upstream_.endpoints;  // an update may come while connecting
  const ClientFailure failure = co_await connection_->connect(endpoints, context_.route.limits.io);
  co_return failure == ClientFailure::none ? Verdict::go_on : fail_by_connection();
}

UpstreamExchange::Sent UpstreamExchange::send_head() {
  connection_->begin(exchange_.request.method);
  std::string& head = connection_->scratch().head;
  head.clear();
  write_request_head(head, exchange_, target_, framing_);
  return connection_->send(head, whole_body_.value_or(""));
}

Task<UpstreamExchange::Verdict> UpstreamExchange::flush_head() {
  const ClientFailure failure = co_await connection_->flush(context_.route.limits.io);
  co_return failure == ClientFailure::none ? Verdict::go_on : fail_by_connection();
}

void UpstreamExchange::send_body() {
  if (whole_body_) {
    connection_->request_sent();
  } else {
    pumping_ = true;
    asio::co_spawn(executor_, pump(), asio::detached);
  }
}

// Reads the request body and sends it until it ends, the client fails, or the upstream takes no more. In the
// last case the response that may have come before is still read.
Task<> UpstreamExchange::pump() {
  bool more = true;
  while (more) {
    const auto piece = co_await exchange_.body.read();
    if (!piece) {
      body_failure_ = piece.error();
      connection_->close();
      break;
    }
    more = co_await pump_piece(*piece);
  }
  pumping_ = false;
  connection_->interrupt();
  pump_ended_.notify_later();
}

// False when that was the last.
Task<bool> UpstreamExchange::pump_piece(std::string_view piece) {
  std::array<char, 18> size_line;
  std::string ending;
  ClientConnection::Sent sent;
  if (framing_.kind == RequestFraming::Kind::length) {
    sent = connection_->send(piece);
  } else if (!piece.empty()) {
    char* end = std::to_chars(size_line.data(), size_line.data() + 16, piece.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    sent = connection_->send({size_line.data(), static_cast<std::size_t>(end - size_line.data())}, piece,
                             "\r\n");
  } else {
    http::Fields trailers;
    forward_trailers(exchange_.body.trailers(), trailers);
    ending = "0\r\n";
    write_trailers(ending, trailers);
    sent = connection_->send(ending);
  }
  if (sent == ClientConnection::Sent::rest) {
    const ClientFailure failure = co_await connection_->flush(context_.route.limits.io);
    if (failure != ClientFailure::none) co_return false;
  }
  if (connection_->write_failed() || connection_->failure() != ClientFailure::none) co_return false;
  if (piece.empty()) connection_->request_sent();
  co_return !piece.empty();
}

// The response is over, or never comes: nobody needs the rest of the body. Closing ends a send; a read of the
// client's body ends with its next piece or its own time limit.
Task<> UpstreamExchange::stop_pump() {
  connection_->close();
  while (pumping_) {
    if (!pump_ended_.take()) co_await pump_ended_.wait();
  }
}

UpstreamExchange::Verdict UpstreamExchange::judge_failure() {
  const bool died_idle = pooled_ && !connection_->heard_anything() &&
                         connection_->failure() == ClientFailure::closed && may_be_sent_again();
  if (!died_idle) return fail_by_connection();
  connection_->close();
  ++context_.upstream.retries;
  return Verdict::retry;
}

// While the request body is on its way, its own limits are the ones that count; pump() interrupts the wait at
// its end.
void UpstreamExchange::begin_wait() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (!waits_on_) waits_until_ = now + context_.route.limits.io;
  const bool watches_next = !watching_ && !pumping_;
  connection_->begin_wait(watches_next ? std::min(now + watch_after, waits_until_) : waits_until_);
}

UpstreamExchange::Verdict UpstreamExchange::end_wait() {
  const Waited waited = connection_->end_wait();
  waits_on_ = waited == Waited::timed_out && !pumping_;
  if (!waits_on_) return Verdict::go_on;
  if (std::chrono::steady_clock::now() >= waits_until_) {
    return fail(reasons::upstream_timeout, "waiting for the response");
  }
  watching_ = true;
  exchange_.client_watch.start();
  return Verdict::go_on;
}

void UpstreamExchange::stop_watching() {
  if (!watching_) return;
  watching_ = false;
  exchange_.client_watch.stop();
}

// 100 was asked for by nobody: this gateway answers the client's expectation itself.
Task<> UpstreamExchange::forward_interim() {
  const http::ResponseParser& response = connection_->response();
  if (response.status() == 100) co_return;
  std::vector<http::Field>& fields = connection_->scratch().fields;
  fields.clear();
  forward_response_fields(response.fields(), fields);
  const http::ResponseHead head{response.status(), fields};
  const auto sent = co_await exchange_.response.inform(head);
  if (!sent) connection_->close();
}

void UpstreamExchange::make_head() {
  const http::ResponseParser& response = connection_->response();
  ClientConnection::Scratch& scratch = connection_->scratch();
  scratch.fields.clear();
  forward_response_fields(response.fields(), scratch.fields);
  scratch.text.clear();
  write_upstream_url(scratch.text, exchange_.request, target_);
  const char* const status_end =
      std::to_chars(status_text_.data(), status_text_.data() + status_text_.size(), response.status()).ptr;
  scratch.fields.push_back({"X-Upstream-Url", scratch.text});
  scratch.fields.push_back({"X-Upstream-Status", {status_text_.data(), status_end}});
  head_ = {response.status(), scratch.fields};
}

bool UpstreamExchange::is_within_limit(std::uint64_t body_bytes) {
  return body_bytes <= context_.route.limits.response_bytes;
}

// Takes what has arrived with the head. A small answer is whole then and leaves with its head in one write.
UpstreamExchange::Answer UpstreamExchange::look_at_answer(std::string_view& piece) {
  const http::ResponseParser& response = connection_->response();
  context_.upstream.status = response.status();
  stop_watching();
  if (response.has_body() && connection_->read_body(piece) == Progress::failed) {
    fail_by_connection();
    return Answer::none;
  }
  if (response.has_body() &&
      !is_within_limit(std::max<std::uint64_t>(response.content_length().value_or(0), piece.size()))) {
    fail(reasons::upstream_too_large, {});
    return Answer::none;
  }
  make_head();
  const bool whole = connection_->complete() && response.trailers().size() == 0;
  return whole && !describes_another_body(response, exchange_.request.method) ? Answer::whole
                                                                              : Answer::in_pieces;
}

// In pieces as they come; also what tells the length of a body that is not sent (HEAD, 304).
Task<> UpstreamExchange::respond_in_pieces(std::string_view piece) {
  const http::ResponseParser& response = connection_->response();
  http::ResponseWriter::Result sent = co_await exchange_.response.start(head_, response.content_length());
  std::uint64_t passed_bytes = 0;
  while (sent && response.has_body()) {
    if (!piece.empty()) {
      passed_bytes += piece.size();
      if (!is_within_limit(passed_bytes)) co_return cut(reasons::upstream_too_large, {});
      sent = co_await exchange_.response.write(piece);
    }
    if (!sent || connection_->complete()) break;
    const Progress progress = connection_->read_body(piece);
    if (progress == Progress::failed) co_return cut(reasons::upstream_cut, "the upstream's body broke off");
    if (progress == Progress::more) {
      connection_->begin_wait(std::chrono::steady_clock::now() + context_.route.limits.io);
      if (!connection_->arrival().take()) co_await connection_->arrival().wait();
      const Waited waited = connection_->end_wait();
      if (waited == Waited::timed_out) co_return cut(reasons::upstream_cut, "the upstream's body stalled");
    }
  }
  if (sent) {
    http::Fields trailers;
    forward_trailers(response.trailers(), trailers);
    sent = co_await exchange_.response.finish(trailers.size() > 0 ? &trailers : nullptr);
  }
  if (!sent) client_failed(*sent.error());
}

void UpstreamExchange::client_failed(const http::Reason& reason) {
  context_.reason = &reason;
  connection_->close();
}

// Before the head has gone: the dispatcher answers. What ended the exchange first (the client, a deadline)
// counts more than what that did to the connection.
UpstreamExchange::Verdict UpstreamExchange::fail(const http::Reason& reason, std::string_view detail) {
  const http::Reason* const cause = exchange_.cancellation.cause();
  context_.reason = cause != nullptr ? cause : body_failure_ != nullptr ? body_failure_ : &reason;
  context_.detail = context_.reason == &reason ? detail : std::string_view();
  if (connection_) connection_->close();
  return Verdict::failed;
}

UpstreamExchange::Verdict UpstreamExchange::fail_by_connection() {
  const error_code& error = connection_->error();
  switch (connection_->failure()) {
    case ClientFailure::connect:
      return fail(reasons::upstream_connect, error.message());
    case ClientFailure::connect_timeout:
      return fail(reasons::upstream_timeout, "connecting");
    case ClientFailure::timeout:
      return fail(reasons::upstream_timeout, "sending the request");
    case ClientFailure::interim_flood:
      return fail(reasons::upstream_response, "too many interim responses");
    case ClientFailure::response:
    case ClientFailure::cut:
      return fail(reasons::upstream_response, http::describe(connection_->response().refusal()));
    case ClientFailure::none:
    case ClientFailure::closed:
    case ClientFailure::cancelled:
      break;
  }
  return fail(reasons::upstream_closed, error.message());
}

void UpstreamExchange::cut(const http::Reason& reason, std::string_view detail) {
  fail(reason, detail);
  exchange_.response.abort();
}

}  // namespace tollgate::gateway
