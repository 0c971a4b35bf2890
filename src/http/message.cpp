#include "http/message.hpp"

namespace tollgate::http {
namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

bool same_letters(std::string_view a, std::string_view b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (const Field& field : lines_) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const {
  std::size_t lines = 0;
  for (const Field& field : lines_) lines += equal_ignoring_case(field.name, name) ? 1 : 0;
  return lines;
}

}  // namespace tollgate::http
