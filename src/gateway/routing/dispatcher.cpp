#include "gateway/routing/dispatcher.hpp"

#include <exception>

#include "gateway/reasons.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::string_view methods_of_the_server = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";
constexpr http::Field retry_soon[] = {{"Retry-After", "1"}};
constexpr http::Field retry_later[] = {{"Retry-After", "60"}};  // quarantine is lifted by a reload

std::span<const http::Field> advice_for(const http::Reason& reason) {
  if (&reason == &reasons::quarantine) return retry_later;
  return reason.status == 503 ? std::span<const http::Field>(retry_soon) : std::span<const http::Field>();
}

// What the client did wrong is told to it; what a handler or an upstream did is for the log, but for an
// answer that is none, whose author may be the client and is told what to change.
std::string_view detail_for_client(const RequestContext& context) {
  const bool told = context.reason->status < 500 || context.reason == &reasons::bad_response;
  return told ? std::string_view(context.detail) : std::string_view();
}

// No answer can reach whoever caused these.
bool is_unanswerable(const http::Reason& reason) {
  return &reason == &http::reasons::client_gone || &reason == &http::reasons::write_timeout;
}

// A defect, or memory is used up: this request's failure.
void fail(RequestContext& context, const std::exception& error) {
  context.reason = &http::reasons::internal;
  context.detail = error.what();
  if (context.exchange.response.started()) context.exchange.response.abort();
}

}  // namespace

Task<> Dispatcher::handle(http::Exchange& exchange) {
  using Kind = RouteTable::Match::Kind;
  const http::Request& request = exchange.request;
  const RouteTable::Match match = table_->table().find(request);
  if (match.kind == Kind::found) {
    const LoadedRoute& route = table_->route(match.route);
    exchange.extra_fields = route.fields;
    if (const http::Reason* reason = why_not_served(request, route)) {
      return answer_without_backend(exchange, table_, &route, *reason);
    }
    exchange.body.limit(route.route->limits.body_bytes);
    if (route.fixed_response != nullptr) return answer_fixed(exchange, route);
    return answer_by_backend(exchange, route, match.matched_prefix);
  }
  if (request.method == http::Method::options &&
      (match.kind == Kind::method_not_allowed || request.path == "*")) {
    return answer_options(exchange, table_);
  }
  return answer_without_backend(
      exchange, table_, nullptr,
      match.kind == Kind::method_not_allowed ? reasons::method_not_allowed : reasons::not_found);
}

const http::Reason* Dispatcher::why_not_served(const http::Request& request, const LoadedRoute& route) const {
  const std::uint32_t slot = route.route->slot;
  if (slot < route_slots_max &&
      services_.counts.routes[slot].quarantined.load(std::memory_order_relaxed) != 0) {
    return &reasons::quarantine;
  }
  if (request.content_length.value_or(0) > route.route->limits.body_bytes)
    return &http::reasons::body_too_large;
  return nullptr;
}

Task<> Dispatcher::answer_fixed(http::Exchange& exchange, const LoadedRoute& route) {
  const FixedResponse& fixed = *route.fixed_response;
  const auto sent = exchange.response.try_send(fixed.head, fixed.body);
  if (!sent) return send_fixed(exchange, table_, route);
  record(exchange, {&route, *sent ? nullptr : sent->error(), nullptr});
  return {};
}

Task<> Dispatcher::send_fixed(http::Exchange& exchange, [[maybe_unused]] TableLease lease,
                              const LoadedRoute& route) {
  const FixedResponse& fixed = *route.fixed_response;
  const auto sent = co_await exchange.response.send(fixed.head, fixed.body);
  record(exchange, {&route, sent ? nullptr : sent.error(), nullptr});
}

Task<> Dispatcher::answer_options(http::Exchange& exchange, TableLease lease) {
  const std::string allowed = lease->table().allowed_methods(exchange.request);
  const http::Field allow[] = {
      {"Allow", allowed.empty() ? methods_of_the_server : std::string_view(allowed)}};
  const http::ResponseHead head{204, allow};
  const auto sent = co_await exchange.response.send(head, {});
  record(exchange, {nullptr, sent ? nullptr : sent.error(), nullptr});
}

Task<> Dispatcher::answer_without_backend(http::Exchange& exchange, TableLease lease,
                                          const LoadedRoute* route, const http::Reason& reason) {
  std::string allowed;
  http::Field allow[1];
  std::span<const http::Field> fields = advice_for(reason);
  if (&reason == &reasons::method_not_allowed) {
    allowed = lease->table().allowed_methods(exchange.request);
    allow[0] = {"Allow", allowed};
    fields = allow;
  }
  const auto sent = co_await http::send_error(exchange, reason, {}, fields);
  record(exchange, {route, sent ? &reason : sent.error(), nullptr});
}

// The deadline ends the wait for an answer, which begins with the last bytes of the request that came:
// neither an upload that makes progress nor an answer that is under way, for those are bounded by the waits
// for their bytes and by the limits of their source. An upload that stalls is ended by it, or by the server's
// wait for body bytes if that is shorter.
class Dispatcher::AnswerDeadline {
 public:
  AnswerDeadline(TimerWheel& wheel, http::Exchange& exchange, SteadyTime::duration limit)
      : wheel_(wheel), exchange_(exchange), limit_(limit), deadline_(expired, this) {
    wheel_.arm(deadline_, exchange_.received + limit_);
  }

 private:
  static void expired(void* self) { static_cast<AnswerDeadline*>(self)->look(); }
  void look() {
    if (exchange_.response.started()) return;
    const SteadyTime due = exchange_.body.last_arrival() + limit_;
    if (due > std::chrono::steady_clock::now()) {
      wheel_.arm(deadline_, due);
    } else {
      exchange_.cancellation.cancel(reasons::deadline);
      exchange_.body.interrupt(reasons::deadline);
    }
  }

  TimerWheel& wheel_;
  http::Exchange& exchange_;
  SteadyTime::duration limit_;
  TimerWheel::Deadline deadline_;
};

Task<> Dispatcher::answer_by_backend(http::Exchange& exchange, const LoadedRoute& route,
                                     std::string_view matched_prefix) {
  Contexts::Pointer context = contexts_.make(exchange, *route.route, matched_prefix);
  Task<> rest;
  try {
    rest = route.backend->serve(*context);
  } catch (const std::exception& error) {
    fail(*context, error);
  }
  if (rest.valid() || !exchange.response.started())
    return finish(table_, route, std::move(context), std::move(rest));
  record(exchange, {&route, context->reason, context.get()});
  return {};
}

Task<> Dispatcher::finish([[maybe_unused]] TableLease lease, const LoadedRoute& route,
                          Contexts::Pointer context, Task<> rest) {
  http::Exchange& exchange = context->exchange;
  if (rest.valid()) {
    try {
      const AnswerDeadline deadline(services_.wheel, exchange, route.route->limits.deadline);
      co_await std::move(rest);
    } catch (const std::exception& error) {
      fail(*context, error);
    }
  }
  // A cancelled backend may see only what the cancellation did to it.
  if (const http::Reason* cause = exchange.cancellation.cause();
      cause != nullptr && !exchange.response.started()) {
    context->reason = cause;
  }
  if (!exchange.response.started()) co_await send_reason(*context);
  record(exchange, {&route, context->reason, context.get()});
}

Task<> Dispatcher::send_reason(RequestContext& context) {
  http::Exchange& exchange = context.exchange;
  if (context.reason == nullptr) context.reason = &http::reasons::internal;
  if (is_unanswerable(*context.reason)) {
    exchange.response.abort();
    co_return;
  }
  const http::Reason& reason = *context.reason;
  const std::string_view detail = detail_for_client(context);
  const auto sent = co_await http::send_error(exchange, reason, detail, advice_for(reason));
  if (!sent) context.reason = sent.error();
}

void Dispatcher::record(const http::Exchange& exchange, const Ended& ended) {
  RequestRecord record;
  if (ended.route != nullptr) {
    record.slot = ended.route->route->slot;
    record.route_name = ended.route->name;
  }
  record.status = exchange.response.status();
  record.reason = ended.reason;
  record.request_id = exchange.request_id;
  record.method = exchange.request.method_name;
  record.target = exchange.request.target;
  record.remote_address = exchange.remote_address;
  record.received = exchange.received;
  record.total = std::chrono::steady_clock::now() - exchange.received;
  record.handled = record.total;
  record.request_bytes = exchange.body.bytes_arrived();
  record.response_bytes = exchange.response.body_bytes();
  if (const RequestContext* context = ended.context) {
    record.detail = context->detail;
    record.queued = context->queued;
    record.handled = record.total - context->queued;
    record.guest = context->guest ? &*context->guest : nullptr;
    record.program = context->program ? &*context->program : nullptr;
    record.upstream = context->upstream;
  }
  services_.observer.ended(record);
}

void Dispatcher::refused(const http::Reason& reason, std::string_view remote_address) {
  services_.observer.refused(reason, remote_address);
}

}  // namespace tollgate::gateway
