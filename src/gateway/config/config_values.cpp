#include "gateway/config/config_values.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <numeric>
#include <vector>

#include "gateway/routing/path_form.hpp"
#include "http/field_policy.hpp"
#include "http/message.hpp"

namespace tollgate::gateway {
namespace {

constexpr Milliseconds duration_max = std::chrono::hours(24);
constexpr std::size_t host_bytes_max = 253;  // RFC 1035 section 3.1
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t route_path_bytes_max = 1024;
constexpr std::size_t suggestion_distance_max = 2;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_upper_hex(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'F');
}
bool is_unreserved(char c) {
  return is_digit(c) || is_alpha(c) || std::string_view("-._~").find(c) != std::string_view::npos;
}
// RFC 3986 section 3.3, without '%', and without '*', which is the pattern's own.
bool is_path_char(char c) {
  return is_unreserved(c) || std::string_view("!$&'()+,;=:@").find(c) != std::string_view::npos;
}

template <class Number>
std::optional<Number> parse_number(std::string_view digits) {
  Number number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  return number;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// "<number><unit>", checked against overflow; the unit "" must be in the list to be allowed.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
  const auto end_of_digits = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::size_t digits = static_cast<std::size_t>(end_of_digits - text.begin());
  const auto number = parse_number<std::uint64_t>(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(*number, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return result;
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > host_bytes_max) return false;
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.size() > label_bytes_max || label.front() == '-' || label.back() == '-')
      return false;
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; }))
      return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::optional<std::string> canonical_ipv6(std::string_view text) {
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address_v6(std::string(text), failed);
  if (failed || address.scope_id() != 0 || text.find('%') != std::string_view::npos) return std::nullopt;
  return address.to_string();
}

bool is_dot_segment(std::string_view segment) {
  return segment == "." || segment == "..";
}

// Whether text[at] begins a percent-encoded byte in the one accepted form: upper-case hex, and none that
// encodes an unreserved character (it has a plainer form), a slash, a backslash, a percent sign's NUL or a
// control.
bool is_accepted_escape(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size() || !is_upper_hex(text[at + 1]) || !is_upper_hex(text[at + 2])) return false;
  const auto value = [](char c) { return is_digit(c) ? c - '0' : c - 'A' + 10; };
  const int byte = value(text[at + 1]) * 16 + value(text[at + 2]);
  return byte >= 0x20 && byte != 0x7f && byte != '/' && byte != '\\' &&
         !is_unreserved(static_cast<char>(byte));
}

bool is_canonical_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > route_path_bytes_max) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') {
      if (!is_accepted_escape(path, i)) return false;
      i += 2;
    } else if (path[i] != '/' && !is_path_char(path[i])) {
      return false;
    }
  }
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (is_dot_segment(segment) || (segment.empty() && end < path.size())) return false;
    begin = end + 1;
  }
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::optional<Milliseconds> parse_duration(std::string_view text) {
  const auto milliseconds = parse_with_unit(text, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}});
  if (!milliseconds || *milliseconds == 0 || *milliseconds > static_cast<std::uint64_t>(duration_max.count()))
    return std::nullopt;
  return Milliseconds(*milliseconds);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, {{"", 1}, {"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}});
}

std::optional<std::string> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (digits.size() > 5) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(digits);
  if (!port) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const auto address = canonical_ipv6(host.substr(1, host.size() - 2));
    if (!address) return std::nullopt;
    return "[" + *address + "]:" + std::to_string(*port);
  }
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address_v4(std::string(host), failed);
  if (failed) return std::nullopt;
  return address.to_string() + ":" + std::to_string(*port);
}

expected<UpstreamBackend, std::string_view> parse_upstream_url(std::string_view text) {
  static constexpr std::string_view notation = R"(a URL such as "http://127.0.0.1:18080/base")";
  if (lower(text.substr(0, 8)) == "https://")
    return unexpected(std::string_view(R"(an http URL: upstreams over https are not supported)"));
  if (lower(text.substr(0, 7)) != "http://") return unexpected(notation);
  UpstreamBackend upstream;
  upstream.url = text;
  std::string_view rest = text.substr(7);
  const std::string_view path = rest.substr(std::min(rest.find('/'), rest.size()));
  rest.remove_suffix(path.size());
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos && rest.back() != ']') {
    const auto port = parse_number<std::uint16_t>(rest.substr(colon + 1));
    if (!port || *port == 0 || rest.size() - colon > 6) return unexpected(notation);
    upstream.port = *port;
    rest = rest.substr(0, colon);
  }
  if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']') {
    const auto address = canonical_ipv6(rest.substr(1, rest.size() - 2));
    if (!address) return unexpected(notation);
    upstream.host = *address;
  } else if (is_dns_name(rest)) {
    upstream.host = lower(rest);
  } else {
    return unexpected(notation);
  }
  if (!path.empty() && !is_canonical_path(path))
    return unexpected(
        std::string_view("an upstream URL whose base path has no query, empty segments or dot segments and "
                         "is percent-encoded"));
  upstream.base_path = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  return upstream;
}

std::optional<std::string> parse_route_path(std::string_view written) {
  std::array<char, path_form_bytes_max> room;
  const std::string_view text = path_form(written, room);
  const std::string_view fixed = text.ends_with("/*") ? text.substr(0, text.size() - 1) : text;
  if (!is_canonical_path(fixed)) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> parse_host_pattern(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    const auto address = canonical_ipv6(text.substr(1, text.size() - 2));
    if (!address) return std::nullopt;
    return "[" + *address + "]";
  }
  if (!is_dns_name(text.starts_with("*.") ? text.substr(2) : text)) return std::nullopt;
  return lower(text);
}

bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

std::optional<std::string_view> why_not_a_response_field(std::string_view name, std::string_view value) {
  static constexpr std::string_view own[] = {"date", "x-request-id", "x-tollgate-error"};
  if (!http::is_token(name)) return "a field name of letters, digits and !#$%&'*+-.^_`|~";
  bool is_own = http::is_framing_or_hop_by_hop(name);
  for (const std::string_view one : own) is_own = is_own || http::equal_ignoring_case(name, one);
  if (is_own) return "another field name: the gateway sets this one itself";
  if (!http::is_field_value(value)) return "a field value without line breaks and control characters";
  if (http::trimmed(value).size() != value.size()) return "a field value without blanks at its ends";
  return std::nullopt;
}

std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string_view best;
  std::size_t best_distance = suggestion_distance_max + 1;
  if (word.size() > 64) return best;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace tollgate::gateway
