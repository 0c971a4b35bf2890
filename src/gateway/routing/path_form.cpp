#include "gateway/routing/path_form.hpp"

#include <array>

namespace tollgate::gateway {
namespace {

constexpr char upper_digits[] = "0123456789ABCDEF";

// RFC 3986 section 2.3.
constexpr bool is_unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view path_form(std::string_view path, std::span<char, path_form_bytes_max> room) {
  if (path.find('%') == std::string_view::npos || path.size() > room.size()) return path;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int high = path[i] == '%' && i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(path[i + 2]) : -1;
    if (low < 0) {
      room[bytes++] = path[i];
      continue;
    }
    i += 2;
    const int byte = high * 16 + low;
    if (is_unreserved(byte)) {
      room[bytes++] = static_cast<char>(byte);
    } else {
      room[bytes++] = '%';
      room[bytes++] = upper_digits[high];
      room[bytes++] = upper_digits[low];
    }
  }
  return {room.data(), bytes};
}

}  // namespace tollgate::gateway
