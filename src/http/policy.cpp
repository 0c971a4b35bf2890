#include "http/policy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "http/limits.hpp"
#include "http/message.hpp"

namespace tollgate::http {
namespace {

using namespace reasons;

// In the order of Rule. "we": stricter than the RFC asks.
constexpr Refusal table[] = {
    {Rule::grammar, &malformed, "RFC 9112 2.2, 3, 5",
     "bytes the grammar forbids: bare CR or LF, NUL, obs-fold, ..."},
    {Rule::unknown_method, &not_implemented, "RFC 9110 9.1", "a method nobody here knows"},
    {Rule::connect_method, &not_implemented, "RFC 9110 9.3.6", "CONNECT: this is no tunnel"},
    {Rule::request_line_spacing, &malformed, "RFC 9112 3",
     "not exactly one space between the request line's parts"},
    {Rule::leading_bytes, &malformed, "RFC 9112 2.2", "more than one CRLF before the request line"},
    {Rule::version_missing, &malformed, "RFC 9112 3", "a request line without a version (HTTP/0.9)"},
    {Rule::version_unsupported, &version_unsupported, "RFC 9110 15.6.6",
     "a version other than HTTP/1.0 and HTTP/1.1"},
    {Rule::target_too_long, &uri_too_long, "RFC 9110 15.5.15", "a target longer than the limit"},
    {Rule::target_form, &bad_target, "RFC 9112 3.2",
     "a target that is not origin-form, http absolute-form or OPTIONS *"},
    {Rule::target_bytes, &bad_target, "RFC 3986 3.3", "a byte that must be percent-encoded"},
    {Rule::target_fragment, &bad_target, "RFC 9110 7.1", "a fragment"},
    {Rule::target_escape, &bad_target, "RFC 3986 2.1",
     "a percent sign without two hexadecimal digits, or %00 in the path"},
    {Rule::target_dot_segment, &bad_target, "RFC 3986 6.2.2.3; we", "a dot segment, or a dot written as %2e"},
    {Rule::target_empty_segment, &bad_target, "we", "an empty path segment (//)"},
    {Rule::target_encoded_separator, &bad_target, "RFC 3986 2.2; we",
     "a path separator written as %2f, %5c or a backslash"},
    {Rule::target_userinfo, &bad_target, "RFC 9110 4.2.4", "an authority that is not a plain host and port"},
    {Rule::section_too_large, &headers_too_large, "RFC 6585 5", "a header section larger than the limit"},
    {Rule::too_many_fields, &headers_too_large, "RFC 6585 5", "more field lines than the limit"},
    {Rule::host_missing, &bad_host, "RFC 9112 3.2", "an HTTP/1.1 request without Host"},
    {Rule::host_repeated, &bad_host, "RFC 9112 3.2", "more than one Host"},
    {Rule::host_invalid, &bad_host, "RFC 9112 3.2", "a Host that is not one plain host and port"},
    {Rule::content_length_invalid, &ambiguous_framing, "RFC 9112 6.3",
     "a Content-Length that is not a plain number"},
    {Rule::content_length_repeated, &ambiguous_framing, "RFC 9110 8.6; we",
     "a second Content-Length, even an equal one"},
    {Rule::transfer_encoding_invalid, &ambiguous_framing, "RFC 9112 6.3",
     "a Transfer-Encoding that is not one 'chunked'"},
    {Rule::transfer_encoding_unknown, &not_implemented, "RFC 9112 6.1", "a transfer coding under chunked"},
    {Rule::transfer_encoding_repeated, &ambiguous_framing, "RFC 9112 7; we", "a second Transfer-Encoding"},
    {Rule::transfer_encoding_with_length, &ambiguous_framing, "RFC 9112 6.1; we",
     "Transfer-Encoding and Content-Length"},
    {Rule::transfer_encoding_in_1_0, &ambiguous_framing, "RFC 9112 6.1; we", "Transfer-Encoding in HTTP/1.0"},
    {Rule::expectation_unknown, &expectation_failed, "RFC 9110 10.1.1",
     "an expectation other than 100-continue"},
    {Rule::chunk_grammar, &malformed, "RFC 9112 7.1", "a chunk the grammar forbids: size, extension, CRLF"},
    {Rule::chunk_line_too_long, &malformed, "RFC 9112 7.1.1", "a chunk-size line longer than the limit"},
    {Rule::chunk_extensions_too_large, &malformed, "RFC 9112 7.1.1", "more chunk extensions than the limit"},
    {Rule::trailers_too_large, &headers_too_large, "RFC 6585 5", "a trailer section larger than the limit"},
    {Rule::trailer_forbidden, &malformed, "RFC 9110 6.5.1", "a framing or routing field in the trailers"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(table); ++i) {
    if (table[i].rule != static_cast<Rule>(i)) return false;
  }
  return std::size(table) == static_cast<std::size_t>(Rule::trailer_forbidden) + 1;
}
static_assert(in_order(), "refusal() indexes the table by Rule");

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  unsigned port = 0;
  for (const char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  if (port == 0 || port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

bool is_ipv6_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size()) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  in6_addr address{};
  return inet_pton(AF_INET6, copy.data(), &address) == 1;
}

constexpr std::array<bool, 256> make_host_bytes() {
  std::array<bool, 256> allowed{};
  for (int c = 0; c < 256; ++c) allowed[c] = is_alphanumeric(static_cast<char>(c));
  for (const char c : std::string_view("-._~")) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}
constexpr std::array<bool, 256> host_bytes = make_host_bytes();

bool is_host_name(std::string_view text) {
  const auto allowed = [](char c) { return host_bytes[static_cast<unsigned char>(c)]; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace

const Refusal& refusal(Rule rule) {
  return table[static_cast<std::size_t>(rule)];
}

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6_address(text.substr(1, close - 1))) return std::nullopt;
    host_end = close + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    if (!is_host_name(text.substr(0, host_end))) return std::nullopt;
  }
  authority.host = text.substr(0, host_end);
  if (host_end == text.size()) return authority;
  if (text[host_end] != ':') return std::nullopt;
  authority.port = parse_port(text.substr(host_end + 1));
  if (!authority.port) return std::nullopt;
  return authority;
}

std::optional<std::uint64_t> parse_content_length(std::string_view text) {
  constexpr std::size_t digits_max = 18;  // 10^18 - 1 fits 63 bits; nobody sends an exbibyte
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

TransferEncoding parse_transfer_encoding(std::string_view text) {
  if (equal_ignoring_case(text, "chunked")) return TransferEncoding::chunked;
  for (const std::string_view coding : {"gzip", "deflate", "compress", "x-gzip", "x-compress"}) {
    if (text.size() <= coding.size() || !equal_ignoring_case(text.substr(0, coding.size()), coding)) continue;
    std::string_view rest = text.substr(coding.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t,"), rest.size()));
    if (equal_ignoring_case(rest, "chunked")) return TransferEncoding::unknown;
  }
  return TransferEncoding::invalid;
}

std::optional<Rule> MessageFraming::add_content_length(std::string_view value) {
  if (content_length) return Rule::content_length_repeated;
  if (transfer_encoding) return Rule::transfer_encoding_with_length;
  content_length = parse_content_length(value);
  return content_length ? std::nullopt : std::optional(Rule::content_length_invalid);
}

std::optional<Rule> MessageFraming::add_transfer_encoding(std::string_view value, int version_minor) {
  if (transfer_encoding) return Rule::transfer_encoding_repeated;
  if (content_length) return Rule::transfer_encoding_with_length;
  if (version_minor == 0) return Rule::transfer_encoding_in_1_0;
  transfer_encoding = true;
  switch (parse_transfer_encoding(value)) {
    case TransferEncoding::chunked:
      return std::nullopt;
    case TransferEncoding::unknown:
      return Rule::transfer_encoding_unknown;
    default:
      return Rule::transfer_encoding_invalid;
  }
}

bool acceptable_request_id(std::string_view text) {
  const auto allowed = [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= request_id_bytes_max &&
         std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace tollgate::http
