// The form in which paths are compared (RFC 3986 section 6.2.2): hexadecimal digits of escapes in upper case,
// escaped unreserved characters written plainly. So "/%61dmin" is found by the route "/admin", not by a wider
// one.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace tollgate::gateway {

inline constexpr std::size_t path_form_bytes_max = 8u << 10;  // the longest request target

// `path` itself if it is in that form already, else a copy in `room`. A path longer than `room` is given back
// as it is; an escape without two hexadecimal digits is copied as it is.
std::string_view path_form(std::string_view path, std::span<char, path_form_bytes_max> room);

}  // namespace tollgate::gateway
