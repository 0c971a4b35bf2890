#include "gateway/backends/transform_backend.hpp"

#include <fmt/format.h>

#include "gateway/reasons.hpp"
#include "http/response_head.hpp"

namespace tollgate::gateway {
namespace {

std::uint64_t captured_bytes_max(const Limits& limits) {
  return limits.response_bytes == UINT64_MAX ? transformed_response_bytes_default : limits.response_bytes;
}

bool has_no_body(const http::Request& request, int status) {
  return request.method == http::Method::head || http::status_has_no_body(status);
}

}  // namespace

Task<bool> SandboxFilter::run(RequestContext& context, std::string_view body, std::string& output) {
  auto permit = handler_->try_admit();
  if (!permit) {
    auto admitted = co_await handler_->admit(context);
    if (!admitted) {
      context.reason = admitted.error();
      co_return false;
    }
    permit = std::move(*admitted);
  }
  const abi::RouteEnvironment& environment = handler_->environment();
  GuestInvocation invocation(*handler_, context, output);
  if (!invocation.begin(body, environment.variables(), environment.args())) co_await invocation.ended();
  co_return invocation.settle();
}

Task<bool> ProgramFilter::run(RequestContext& context, std::string_view body, std::string& output) {
  const abi::RouteEnvironment& environment = handler_->environment();
  const SpawnHandler::Variables variables{environment.variables(), environment.args()};
  co_return co_await handler_->run(context, body, variables, output);
}

Task<> TransformBackend::serve(RequestContext& context) {
  CapturedResponse captured(context.exchange.response, captured_bytes_max(context.route.limits));
  co_await serve_inner(context, captured);
  if (!captured.complete()) {
    if (captured.too_large()) {
      context.reason = &reasons::output;
      context.detail = fmt::format(
          "the answer that `transform` is to take has more than {} bytes; raise the route's limit "
          "`response`",
          captured_bytes_max(context.route.limits));
    }
    if (context.reason == nullptr) context.reason = &http::reasons::internal;
    co_return;
  }
  if (has_no_body(context.exchange.request, captured.status())) {
    co_await pass_on(context, captured);
  } else {
    co_await transform(context, captured);
  }
}

Task<> TransformBackend::serve_inner(RequestContext& context, CapturedResponse& captured) {
  http::Exchange& outer = context.exchange;
  http::Exchange exchange{.request = outer.request,
                          .body = outer.body,
                          .response = captured,
                          .cancellation = outer.cancellation,
                          .remote_address = outer.remote_address,
                          .remote_port = outer.remote_port,
                          .local_address = outer.local_address,
                          .local_port = outer.local_port,
                          .received = outer.received,
                          .request_id = outer.request_id,
                          .extra_fields = outer.extra_fields,
                          .client_watch = outer.client_watch};
  RequestContext inner{
      .exchange = exchange, .route = context.route, .matched_prefix = context.matched_prefix};
  Task<> rest = inner_->serve(inner);
  if (rest.valid()) co_await std::move(rest);
  context.reason = inner.reason;
  context.detail = std::move(inner.detail);
  context.queued = inner.queued;
  context.guest = inner.guest;
  context.program = inner.program;
  context.upstream = inner.upstream;
}

// Its length belonged to a body that is not sent, so none is told.
Task<> TransformBackend::pass_on(RequestContext& context, CapturedResponse& captured) {
  http::ResponseWriter& response = context.exchange.response;
  const http::ResponseHead head{captured.status(), captured.fields_of_another_body()};
  auto sent = co_await response.start(head, std::nullopt);
  if (sent) sent = co_await response.finish(nullptr);
  if (!sent) context.reason = sent.error();
}

Task<> TransformBackend::transform(RequestContext& context, CapturedResponse& captured) {
  GuestBufferPool::Lease buffers(filter_->buffers());
  const bool answered = co_await filter_->run(context, captured.body(), buffers->output);
  if (!answered) co_return;
  const http::ResponseHead head{captured.status(), captured.fields_of_another_body()};
  const auto sent = co_await context.exchange.response.send(head, buffers->output);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
