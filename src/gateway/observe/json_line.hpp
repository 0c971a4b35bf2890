// Writes one flat JSON object into memory of fixed size, without allocating. Text is taken as bytes, whoever
// sent them: each byte outside printable ASCII becomes \u00XX, so every line is valid JSON and can be turned
// back. Only what programs say to people keeps its characters.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tollgate::gateway {

class JsonLine {
 public:
  // `room` must hold the sum of all that is put into it; what does not fit is cut, never written past the
  // end.
  JsonLine(char* room, std::size_t bytes) : begin_(room), at_(room), end_(room + bytes - closing_bytes) {
    put('{');
  }

  // At most `escaped_bytes_max` bytes between the quotes; a longer text is cut and the line says "truncated".
  void text(std::string_view key, std::string_view bytes, std::size_t escaped_bytes_max);
  // The same, but text of people: what is UTF-8 stays as it is, except for control characters.
  void utf8_text(std::string_view key, std::string_view bytes, std::size_t escaped_bytes_max);
  // Printable ASCII without quotes and backslashes, as the caller knows.
  void plain_text(std::string_view key, std::string_view bytes);
  void number(std::string_view key, std::uint64_t value);
  // With three decimals: "1.042".
  void milliseconds(std::string_view key, std::chrono::nanoseconds value);

  // Ends the object and the line; the number of bytes written.
  std::size_t finish();

 private:
  static constexpr std::string_view truncated_member = ",\"truncated\":true";
  static constexpr std::size_t closing_bytes = truncated_member.size() + 2;  // and "}\n"

  void put(char c) {
    if (at_ < end_) *at_++ = c;
  }
  void put(std::string_view bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes.size()) return;
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void key(std::string_view name);
  void put_escaped(std::string_view bytes, const char* last, std::size_t (*as_it_is)(std::string_view));
  void decimal(std::uint64_t value) { at_ = std::to_chars(at_, end_, value).ptr; }

  char* begin_;
  char* at_;
  char* end_;
  bool truncated_ = false;
};

}  // namespace tollgate::gateway
