#include "gateway/backends/handler_answer.hpp"

#include "gateway/reasons.hpp"

namespace tollgate::gateway {

abi::CgiFacts cgi_facts(const RequestContext& context, std::uint64_t body_bytes) {
  const http::Exchange& exchange = context.exchange;
  return {.request = exchange.request,
          .route_path = context.route.path,
          .matched_prefix = context.matched_prefix,
          .body_bytes = body_bytes,
          .remote_address = exchange.remote_address,
          .local_address = exchange.local_address,
          .local_port = exchange.local_port};
}

Task<> send_answer(RequestContext& context, Abi abi, GuestBuffers& buffers) {
  http::ResponseHead head;
  std::string_view body = buffers.output;
  if (abi == Abi::cgi) {
    const auto read = abi::read_cgi_response(buffers.output, buffers.cgi_response);
    if (!read) {
      // Unlike other failures of a handler this one tells its author, who may be the client, what to change.
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
  http::ResponseWriter& response = context.exchange.response;
  auto sent = response.try_send(head, body);
  if (!sent) sent = co_await response.send(head, body);
  if (!*sent) context.reason = sent->error();
}

}  // namespace tollgate::gateway
