// Request methods: which of those that llhttp knows are served.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace tollgate::http {

// `code` is llhttp's (llhttp_method_t).
Method method_of(std::uint8_t code);
// llhttp also knows the methods of RTSP and Icecast.
bool is_http_method(std::uint8_t code);
// Whether a request with this method reaches a route: others are refused in the request line.
bool is_served_method(std::string_view name);

}  // namespace tollgate::http
