#include "gateway/backends/native/echo.hpp"

#include <string>

#include "gateway/backends/native/content_type.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::string_view prefix = "echo: ";

}  // namespace

EchoBackend::EchoBackend(const Route& route) : fields_(content_type(route, text_plain)) {}

Task<> EchoBackend::serve(RequestContext& context) {
  const std::optional<std::string_view> all = context.exchange.body.all_if_buffered();
  if (!all) {
    co_await stream(context);
    co_return;
  }
  std::string body;
  body.reserve(prefix.size() + all->size());
  body.append(prefix).append(*all);
  const http::ResponseHead head{200, fields_};
  const auto sent = co_await context.exchange.response.send(head, body);
  if (!sent) context.reason = sent.error();
}

// The head waits for the first piece, so that a body that is refused at once still gets its status.
Task<> EchoBackend::stream(RequestContext& context) {
  http::BodyReader& body = context.exchange.body;
  http::ResponseWriter& response = context.exchange.response;
  expected<std::string_view, const http::Reason*> piece = co_await body.read();
  if (!piece) {
    context.reason = piece.error();
    co_return;
  }
  std::optional<std::uint64_t> length = context.exchange.request.content_length;
  if (length) *length += prefix.size();
  const http::ResponseHead head{200, fields_};
  http::ResponseWriter::Result sent = co_await response.start(head, length);
  if (sent) sent = co_await response.write(prefix);
  while (sent && piece && !piece->empty()) {
    sent = co_await response.write(*piece);
    if (sent) piece = co_await body.read();
  }
  if (sent && piece) sent = co_await response.finish();
  if (!piece) {
    context.reason = piece.error();
    response.abort();
  } else if (!sent) {
    context.reason = sent.error();
  }
}

}  // namespace tollgate::gateway
