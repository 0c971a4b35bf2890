#include "http/field_policy.hpp"

#include <algorithm>
#include <array>

namespace tollgate::http {
namespace {

constexpr std::array<bool, 256> make_token_bytes() {
  std::array<bool, 256> token{};
  for (int c = '0'; c <= '9'; ++c) token[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) token[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) token[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) token[static_cast<unsigned char>(c)] = true;
  return token;
}
constexpr std::array<bool, 256> token_bytes = make_token_bytes();

constexpr bool is_value_byte(char c) {
  return (static_cast<unsigned char>(c) >= ' ' && c != 0x7f) || c == '\t';
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return token_bytes[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_value_byte);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool list_has(std::string_view list, std::string_view element) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trimmed(list.substr(0, comma)), element)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool is_framing_or_hop_by_hop(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_ignoring_case(name, "te");
    case 7:
      return equal_ignoring_case(name, "trailer") || equal_ignoring_case(name, "upgrade");
    case 10:
      return equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "keep-alive");
    case 14:
      return equal_ignoring_case(name, "content-length");
    case 16:
      return equal_ignoring_case(name, "proxy-connection");
    case 17:
      return equal_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

bool named_by_connection(const Fields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [name](const Field& field) {
    return equal_ignoring_case(field.name, "connection") && list_has(field.value, name);
  });
}

bool is_writable(const Field& field) {
  return is_token(field.name) && is_field_value(field.value);
}

}  // namespace tollgate::http
