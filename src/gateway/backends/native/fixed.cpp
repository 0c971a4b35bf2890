#include "gateway/backends/native/fixed.hpp"

#include "gateway/backends/native/content_type.hpp"

namespace tollgate::gateway {

FixedBackend::FixedBackend(int status, std::string body, const Route& route) : body_(std::move(body)) {
  response_.head.status = status;
  if (!body_.empty()) response_.head.fields = content_type(route, text_plain);
  response_.body = body_;
}

Task<> FixedBackend::serve(RequestContext& context) {
  const auto sent = co_await context.exchange.response.send(response_.head, response_.body);
  if (!sent) context.reason = sent.error();
}

std::unique_ptr<Backend> make_hello(const Route& route) {
  return std::make_unique<FixedBackend>(200, "hello", route);
}
std::unique_ptr<Backend> make_health(const Route& route) {
  return std::make_unique<FixedBackend>(200, "OK", route);
}

}  // namespace tollgate::gateway
