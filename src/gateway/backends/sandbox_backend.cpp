#include "gateway/backends/sandbox_backend.hpp"

namespace tollgate::gateway {

Task<> SandboxBackend::serve(RequestContext& context) {
  if (const auto body = context.exchange.body.all_if_buffered()) {
    if (auto permit = handler_->try_admit()) return run(context, *body, std::move(*permit));
  }
  return serve_when_ready(context);
}

Task<> SandboxBackend::serve_when_ready(RequestContext& context) {
  std::string collected;
  const auto body = co_await read_whole_body(context.exchange, collected);
  if (!body) {
    context.reason = body.error();
    co_return;
  }
  auto permit = handler_->try_admit();
  if (!permit) {
    auto admitted = co_await handler_->admit(context);
    if (!admitted) {
      context.reason = admitted.error();
      co_return;
    }
    permit = std::move(*admitted);
  }
  Task<> rest = run(context, *body, std::move(*permit));
  if (rest.valid()) co_await std::move(rest);
}

Task<> SandboxBackend::run(RequestContext& context, std::string_view body, Admission::Permit permit) {
  Servings::Pointer serving = servings_.make(*handler_, context, std::move(permit));
  const abi::RouteEnvironment& route = handler_->environment();
  abi::CgiRequest& request = serving->buffers->cgi_request;
  bool ended = false;
  if (abi_ == Abi::stdio) {
    ended = serving->invocation.begin(body, route.variables(), route.args());
  } else {
    request.assemble(cgi_facts(context, body.size()), route);
    ended = serving->invocation.begin(body, request.environment(), request.args());
  }
  return ended ? answer(context, std::move(serving)) : run_on(context, std::move(serving));
}

Task<> SandboxBackend::run_on(RequestContext& context, Servings::Pointer serving) {
  co_await serving->invocation.ended();
  Task<> rest = answer(context, std::move(serving));
  if (rest.valid()) co_await std::move(rest);
}

// The sandbox goes before its answer does: a slow client does not hold a place.
Task<> SandboxBackend::answer(RequestContext& context, Servings::Pointer serving) {
  const bool answered = serving->invocation.settle();
  serving->permit.reset();
  if (!answered) return {};
  const auto answer = read_answer(context, abi_, *serving->buffers);
  if (!answer || try_send_answer(context, *answer)) return {};
  return send_rest(context, std::move(serving), *answer);
}

Task<> SandboxBackend::send_rest(RequestContext& context, [[maybe_unused]] Servings::Pointer serving,
                                 HandlerAnswer answer) {
  co_await send_answer(context, answer);
}

}  // namespace tollgate::gateway
