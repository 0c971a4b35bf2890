#include "gateway/backends/sandbox_backend.hpp"

#include "gateway/reasons.hpp"

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
  if (answered) co_await respond(context, *buffers);
}

bool SandboxBackend::begin(GuestInvocation& invocation, const RequestContext& context, std::string_view body,
                           GuestBuffers& buffers) {
  const abi::RouteEnvironment& route = handler_->environment();
  if (abi_ == Abi::stdio) return invocation.begin(body, route.variables(), route.args());
  const http::Exchange& exchange = context.exchange;
  buffers.cgi_request.assemble({.request = exchange.request,
                                .route_path = context.route.path,
                                .matched_prefix = context.matched_prefix,
                                .body_bytes = body.size(),
                                .remote_address = exchange.remote_address,
                                .local_address = exchange.local_address,
                                .local_port = exchange.local_port},
                               route);
  return invocation.begin(body, buffers.cgi_request.environment(), buffers.cgi_request.args());
}

Task<> SandboxBackend::respond(RequestContext& context, GuestBuffers& buffers) {
  http::ResponseHead head;
  std::string_view body = buffers.output;
  if (abi_ == Abi::cgi) {
    const auto read = abi::read_cgi_response(buffers.output, buffers.cgi_response);
    if (!read) {
      // Unlike other failures of a guest this one tells its author, who may be the client, what to change.
      context.reason = &reasons::bad_response;
      context.detail = read.error().sentence;
      const auto refused =
          co_await http::send_error(context.exchange, reasons::bad_response, read.error().sentence);
      if (!refused) context.reason = refused.error();
      co_return;
    }
    head = {buffers.cgi_response.status, buffers.cgi_response.fields};
    body = buffers.cgi_response.body;
  }
  const auto sent = co_await context.exchange.response.send(head, body);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
