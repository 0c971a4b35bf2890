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

std::optional<HandlerAnswer> read_answer(RequestContext& context, Abi abi, GuestBuffers& buffers) {
  if (abi == Abi::stdio) return HandlerAnswer{.head = {}, .body = buffers.output};
  const auto read = abi::read_cgi_response(buffers.output, buffers.cgi_response);
  if (!read) {
    context.reason = &reasons::bad_response;
    context.detail = read.error().sentence;
    return std::nullopt;
  }
  return HandlerAnswer{.head = {buffers.cgi_response.status, buffers.cgi_response.fields},
                       .body = buffers.cgi_response.body};
}

bool try_send_answer(RequestContext& context, const HandlerAnswer& answer) {
  const auto sent = context.exchange.response.try_send(answer.head, answer.body);
  if (!sent) return false;
  if (!*sent) context.reason = sent->error();
  return true;
}

Task<> send_answer(RequestContext& context, HandlerAnswer answer) {
  const auto sent = co_await context.exchange.response.send(answer.head, answer.body);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
