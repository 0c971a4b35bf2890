// Where a field line lies in bytes that may move while it arrives: offsets, not pointers.
#pragma once

#include <cstdint>
#include <string_view>

namespace tollgate::http {

struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool empty() const { return begin == end; }
  std::string_view in(const char* base) const { return {base + begin, end - begin}; }
};

struct FieldLine {
  Span name;
  Span value;
};

// RFC 9110 section 5.5: blanks around a value are no part of it. llhttp skips those before it.
inline std::string_view without_trailing_blanks(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t");
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

}  // namespace tollgate::http
