// Characters and names that both directions of the CGI ABI need.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace tollgate::gateway::abi {

// RFC 9110 section 5.6.2.
constexpr bool is_token_character(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Framing and hop-by-hop fields (RFC 9110 section 7.6.1): they belong to a connection, not to a guest.
inline bool is_connection_field(std::string_view name) {
  for (const std::string_view one : {"connection", "content-length", "keep-alive", "proxy-connection", "te",
                                     "trailer", "transfer-encoding", "upgrade"}) {
    if (http::equal_ignoring_case(name, one)) return true;
  }
  return false;
}

}  // namespace tollgate::gateway::abi
