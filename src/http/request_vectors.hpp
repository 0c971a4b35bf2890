// Requests that an edge must refuse, with what it answers. Written from RFC 9110, RFC 9112 and the published
// families of request smuggling; used whole and cut at every point, alone and pipelined after a good request.
#pragma once

#include <span>
#include <string_view>

namespace tollgate::http::test {

struct HostileRequest {
  std::string_view name;
  std::string_view bytes;
  int status;
};

std::span<const HostileRequest> hostile_requests();

}  // namespace tollgate::http::test
