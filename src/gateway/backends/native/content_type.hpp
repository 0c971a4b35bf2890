// Content-Type of native answers.
#pragma once

#include <span>

#include "gateway/config/config.hpp"
#include "http/message.hpp"

namespace tollgate::gateway {

inline constexpr http::Field text_plain[] = {{"content-type", "text/plain; charset=utf-8"}};
inline constexpr http::Field application_json[] = {{"content-type", "application/json"}};
inline constexpr http::Field octet_stream[] = {{"content-type", "application/octet-stream"}};

// `own`, unless the route's headers name a Content-Type themselves.
std::span<const http::Field> content_type(const Route& route, std::span<const http::Field> own);

}  // namespace tollgate::gateway
