#include "http/target.hpp"

#include <array>
#include <optional>

namespace tollgate::http {
namespace {

constexpr std::array<bool, 256> make_path_bytes() {
  std::array<bool, 256> allowed{};
  for (int c = 'a'; c <= 'z'; ++c) allowed[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) allowed[c] = true;
  for (int c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (const char c : std::string_view("-._~!$&'()*+,;=:@/%")) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}
constexpr std::array<bool, 256> path_bytes = make_path_bytes();

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the escape at text[at] stands for, or -1.
int escaped_byte(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::optional<Rule> check_escape(std::string_view path, std::size_t at) {
  switch (escaped_byte(path, at)) {
    case -1:
    case 0:
      return Rule::target_escape;
    case '.':
      return Rule::target_dot_segment;
    case '/':
    case '\\':
      return Rule::target_encoded_separator;
    default:
      return std::nullopt;
  }
}

// `path` starts with '/'.
std::optional<Rule> check_path(std::string_view path) {
  std::size_t segment = 1;  // where the current one starts
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '/') {
      const std::string_view name = path.substr(segment, i - segment);
      if (name == "." || name == "..") return Rule::target_dot_segment;
      if (name.empty() && i < path.size()) return Rule::target_empty_segment;
      segment = i + 1;
    } else if (path[i] == '%') {
      if (const auto rule = check_escape(path, i)) return rule;
    } else if (path[i] == '#') {
      return Rule::target_fragment;
    } else if (path[i] == '\\') {
      return Rule::target_encoded_separator;
    } else if (!path_bytes[static_cast<unsigned char>(path[i])]) {
      return Rule::target_bytes;
    }
  }
  return std::nullopt;
}

std::optional<Rule> check_query(std::string_view query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (query[i] == '#') return Rule::target_fragment;
    if (query[i] <= ' ' || query[i] > '~') return Rule::target_bytes;
    if (query[i] == '%' && escaped_byte(query, i) < 0) return Rule::target_escape;
  }
  return std::nullopt;
}

expected<Target, Rule> parse_origin(std::string_view origin, std::string_view authority) {
  Target target;
  target.origin = origin;
  target.authority = authority;
  const std::size_t mark = origin.find('?');
  target.path = origin.substr(0, mark);
  if (mark != std::string_view::npos) target.query = origin.substr(mark + 1);
  if (const auto rule = check_path(target.path)) return unexpected(*rule);
  if (const auto rule = check_query(target.query)) return unexpected(*rule);
  return target;
}

}  // namespace

expected<Target, Rule> parse_target(std::string_view text, Method method, std::string& scratch) {
  if (text.starts_with('/')) return parse_origin(text, {});
  if (text == "*" && method == Method::options) return Target{text, text, {}, {}};

  constexpr std::string_view scheme = "http://";
  if (text.size() <= scheme.size() || !equal_ignoring_case(text.substr(0, scheme.size()), scheme)) {
    return unexpected(Rule::target_form);
  }
  const std::string_view rest = text.substr(scheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  if (!parse_authority(authority)) return unexpected(Rule::target_userinfo);
  if (end == rest.size()) {
    // RFC 9112 section 3.2.4: OPTIONS for an absolute-form without path and query means the server as a
    // whole.
    if (method == Method::options) return Target{"*", "*", {}, authority};
    return Target{"/", "/", {}, authority};
  }
  if (rest[end] == '/') return parse_origin(rest.substr(end), authority);
  scratch.assign("/").append(rest.substr(end));
  return parse_origin(scratch, authority);
}

}  // namespace tollgate::http
