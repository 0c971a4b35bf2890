#include "gateway/backends/spawn_backend.hpp"

#include "gateway/backends/handler_answer.hpp"
#include "gateway/guests/guest_handler.hpp"

namespace tollgate::gateway {

Task<> ProgramBackend::serve(RequestContext& context) {
  std::string collected;
  const auto body = co_await read_whole_body(context.exchange, collected);
  if (!body) {
    context.reason = body.error();
    co_return;
  }
  GuestBufferPool::Lease buffers(handler_->buffers());
  const SpawnHandler::Variables given = variables(context, body->size(), *buffers);
  const bool answered = co_await handler_->run(context, *body, given, buffers->output);
  if (!answered) co_return;
  const auto answer = read_answer(context, abi_, *buffers);
  if (answer) co_await send_answer(context, *answer);
}

SpawnHandler::Variables ProgramBackend::variables(const RequestContext& context, std::uint64_t body_bytes,
                                                  GuestBuffers& buffers) const {
  const abi::RouteEnvironment& route = handler_->environment();
  if (abi_ == Abi::stdio) return {route.variables(), route.args()};
  buffers.cgi_request.assemble(cgi_facts(context, body_bytes), route);
  return {buffers.cgi_request.environment(), buffers.cgi_request.args()};
}

}  // namespace tollgate::gateway
