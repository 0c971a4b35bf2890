#include "gateway/backends/native/content_type.hpp"

#include <algorithm>

namespace tollgate::gateway {

std::span<const http::Field> content_type(const Route& route, std::span<const http::Field> own) {
  const bool is_set = std::any_of(route.headers.begin(), route.headers.end(), [](const auto& header) {
    return http::equal_ignoring_case(header.first, "content-type");
  });
  return is_set ? std::span<const http::Field>() : own;
}

}  // namespace tollgate::gateway
