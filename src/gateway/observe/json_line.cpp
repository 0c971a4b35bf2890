#include "gateway/observe/json_line.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace tollgate::gateway {
namespace {

constexpr char hex[] = "0123456789abcdef";
constexpr std::size_t longest_escape = 6;  // \u00XX

constexpr bool is_plain(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Bytes at the beginning of `text` that need no escape; 0: the first one does.
std::size_t plain_bytes(std::string_view text) {
  return is_plain(text.front()) ? 1 : 0;
}

std::size_t plain_or_utf8_bytes(std::string_view text) {
  if (is_plain(text.front())) return 1;
  const std::size_t bytes = utf8_character_bytes(text);
  // U+0080 to U+009F, C2 80 to C2 9F, are control characters, which terminals obey.
  const bool control = text.starts_with('\xc2') && static_cast<unsigned char>(text[1]) < 0xa0;
  return bytes > 1 && !control ? bytes : 0;
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
  put_escaped(bytes, std::min(end_ - 1, at_ + escaped_bytes_max), plain_bytes);
  put('"');
}

void JsonLine::utf8_text(std::string_view name, std::string_view bytes, std::size_t escaped_bytes_max) {
  key(name);
  put('"');
  put_escaped(bytes, std::min(end_ - 1, at_ + escaped_bytes_max), plain_or_utf8_bytes);
  put('"');
}

// Up to `last`, which leaves room for the closing quote.
void JsonLine::put_escaped(std::string_view bytes, const char* last,
                           std::size_t (*as_it_is)(std::string_view)) {
  while (!bytes.empty()) {
    const std::size_t plain = as_it_is(bytes);
    if (last - at_ < static_cast<std::ptrdiff_t>(plain != 0 ? plain : longest_escape)) {
      truncated_ = true;
      return;
    }
    const char c = bytes.front();
    if (plain != 0) {
      std::memcpy(at_, bytes.data(), plain);
      at_ += plain;
    } else if (c == '"' || c == '\\') {
      *at_++ = '\\';
      *at_++ = c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const char escape[longest_escape] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
      std::memcpy(at_, escape, sizeof escape);
      at_ += sizeof escape;
    }
    bytes.remove_prefix(std::max<std::size_t>(plain, 1));
  }
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
