// The notations of single configuration values: durations, sizes, addresses, URLs, paths, hosts, fields.
//
// Each function takes text after ${NAME} expansion and returns nullopt when the text is not in that notation.
// The *_notation sentence beside it says what was expected and completes "found X, expected ...".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "gateway/config/config.hpp"

namespace tollgate::gateway {

// A whole number above 0 with ms, s, m or h.
std::optional<Milliseconds> parse_duration(std::string_view text);
inline constexpr std::string_view duration_notation =
    R"(a duration above 0 and up to 24h such as "500ms", "5s" or "1m")";

// A whole number of bytes, or with B, KiB, MiB or GiB.
std::optional<std::uint64_t> parse_size(std::string_view text);
inline constexpr std::string_view size_notation = R"(a size such as "64KiB", "1MiB" or a number of bytes)";

// "127.0.0.1:8080" or "[::1]:8080", in canonical form. Names are not resolved here.
std::optional<std::string> parse_listen_address(std::string_view text);
inline constexpr std::string_view listen_address_notation =
    R"(a numeric address with a port such as "127.0.0.1:8080" or "[::1]:8080")";

// The error is the sentence of what was expected: an https URL is refused by name.
expected<UpstreamBackend, std::string_view> parse_upstream_url(std::string_view text);

// "/exact" or "/prefix/*", in the one form in which requests are matched: percent-encoded, without empty or
// dot segments.
std::optional<std::string> parse_route_path(std::string_view text);
inline constexpr std::string_view route_path_notation =
    R"(a path such as "/hello" or "/api/*": it begins with "/", has "*" only as its last segment, no empty or dot )"
    R"(segments, no query, and is percent-encoded)";

// "a.example" or "*.a.example", in lower case, without a port.
std::optional<std::string> parse_host_pattern(std::string_view text);
inline constexpr std::string_view host_pattern_notation =
    R"(a host without a port such as "a.example", "*.a.example" or "[::1]")";

// RFC 9110 section 9.1; methods are case-sensitive, and only upper-case ones are in use.
bool is_method(std::string_view text);
inline constexpr std::string_view method_notation = R"(an HTTP method in upper case such as "GET")";

// RFC 9110 section 5.1 and 5.5. The error says why such a field cannot be set.
std::optional<std::string_view> why_not_a_response_field(std::string_view name, std::string_view value);

// The word of `candidates` that `word` most likely misspells, or empty.
std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tollgate::gateway
