#include "gateway/backends/sandbox_backend.hpp"

#include "gateway/backends/handler_answer.hpp"

namespace tollgate::gateway {

Task<> SandboxBackend::serve(RequestContext& context) {
  http::Exchange& exchange = context.exchange;
  std::string collected;
  auto body = exchange.body.all_if_buffered();
  if (!body) {
    const auto whole = co_await read_whole_body(exchange, collected);
    if (!whole) {
      context.reason = whole.error();
      co_return;
    }
    body = *whole;
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
  GuestBufferPool::Lease buffers(handler_->buffers());
  bool answered = false;
  {
    GuestInvocation invocation(*handler_, context, buffers->output);
    if (!begin(invocation, context, *body, *buffers)) co_await invocation.ended();
    answered = invocation.settle();
  }
  permit.reset();  // the sandbox is gone; a slow client does not hold a place
  if (answered) co_await send_answer(context, abi_, *buffers);
}

bool SandboxBackend::begin(GuestInvocation& invocation, const RequestContext& context, std::string_view body,
                           GuestBuffers& buffers) {
  const abi::RouteEnvironment& route = handler_->environment();
  if (abi_ == Abi::stdio) return invocation.begin(body, route.variables(), route.args());
  buffers.cgi_request.assemble(cgi_facts(context, body.size()), route);
  return invocation.begin(body, buffers.cgi_request.environment(), buffers.cgi_request.args());
}

}  // namespace tollgate::gateway
