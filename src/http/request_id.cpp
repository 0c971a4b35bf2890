#include "http/request_id.hpp"

#include <sys/random.h>

namespace tollgate::http {
namespace {

constexpr std::string_view hex = "0123456789abcdef";

}  // namespace

RequestIds::RequestIds() {
  std::array<std::uint64_t, 2> random{};
  // Small requests are never cut short once the pool is up; failing that, ids are only less surprising.
  if (::getrandom(random.data(), sizeof random, 0) < 0) random = {};
  for (std::size_t i = 0; i < prefix_digits; ++i) text_[i] = hex[(random[0] >> (i * 4)) & 15];
  counter_ = random[1] & 0xffffff;  // a start that does not tell how long the worker has run
}

std::string_view RequestIds::next() {
  std::uint64_t rest = ++counter_;
  for (std::size_t i = 0; i < counter_digits; ++i, rest >>= 4) text_[text_.size() - 1 - i] = hex[rest & 15];
  return {text_.data(), text_.size()};
}

}  // namespace tollgate::http
