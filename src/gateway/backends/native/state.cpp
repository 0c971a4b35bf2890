#include "gateway/backends/native/state.hpp"

#include <array>
#include <charconv>

#include "gateway/backends/native/content_type.hpp"

namespace tollgate::gateway {

StateBackend::StateBackend(const Route& route, std::atomic<std::uint64_t>& counter)
    : fields_(content_type(route, text_plain)), counter_(counter) {}

Task<> StateBackend::serve(RequestContext& context) {
  const std::uint64_t value = counter_.fetch_add(1, std::memory_order_relaxed);
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const std::string_view body(digits.data(), static_cast<std::size_t>(end - digits.data()));
  const http::ResponseHead head{200, fields_};
  const auto sent = co_await context.exchange.response.send(head, body);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
