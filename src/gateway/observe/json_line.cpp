#include "gateway/observe/json_line.hpp"

#include <algorithm>

namespace tollgate::gateway {
namespace {

constexpr char hex[] = "0123456789abcdef";
constexpr std::size_t longest_escape = 6;  // \u00XX

constexpr bool is_plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

}  // namespace

void JsonLine::key(std::string_view name) {
  if (at_ != begin_ + 1) put(',');
  put('"');
  put(name);
  put(std::string_view("\":"));
}

void JsonLine::text(std::string_view name, std::string_view bytes, std::size_t escaped_bytes_max) {
  key(name);
  put('"');
  const char* const last = std::min(end_ - 1, at_ + escaped_bytes_max);  // leaves room for the closing quote
  for (const char c : bytes) {
    if (last - at_ < static_cast<std::ptrdiff_t>(is_plain(c) ? 1 : longest_escape)) {
      truncated_ = true;
      break;
    }
    if (is_plain(c)) {
      *at_++ = c;
    } else if (c == '"' || c == '\\') {
      *at_++ = '\\';
      *at_++ = c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[longest_escape] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
      std::memcpy(at_, escape, sizeof escape);
      at_ += sizeof escape;
    }
  }
  put('"');
}

void JsonLine::plain_text(std::string_view name, std::string_view bytes) {
  key(name);
  put('"');
  put(bytes);
  put('"');
}

void JsonLine::number(std::string_view name, std::uint64_t value) {
  key(name);
  decimal(value);
}

void JsonLine::milliseconds(std::string_view name, std::chrono::nanoseconds value) {
  const auto microseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)) / 1000;
  const auto fraction = static_cast<unsigned>(microseconds % 1000);
  key(name);
  decimal(microseconds / 1000);
  const char decimals[4] = {'.', static_cast<char>('0' + fraction / 100),
                            static_cast<char>('0' + fraction / 10 % 10),
                            static_cast<char>('0' + fraction % 10)};
  put(std::string_view(decimals, sizeof decimals));
}

std::size_t JsonLine::finish() {
  end_ += closing_bytes;
  if (truncated_) put(truncated_member);
  put(std::string_view("}\n"));
  return static_cast<std::size_t>(at_ - begin_);
}

}  // namespace tollgate::gateway
