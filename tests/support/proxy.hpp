// A gateway whose one route is a reverse proxy, and what its upstreams say in more than one test.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>

#include "tests/support/gateway_process.hpp"
#include "tests/support/scripted_upstream.hpp"

namespace tollgate::testing {

inline const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// `limits` are those of the route, as in an inline table of the configuration.
inline GatewayProcess in_front_of(std::uint16_t port, const std::string& limits = R"(io = "400ms")",
                                  const std::string& host = "127.0.0.1") {
  return GatewayProcess::with_config(fmt::format(R"(
listen = "127.0.0.1:0"
workers = 1
[[route]]
path = "/*"
upstream = "http://{}:{}/base"
limits = {{ {} }}
headers = {{ "X-Gateway-Workload" = "proxy" }}
)",
                                                 host, port, limits));
}

inline ScriptedUpstream::Script always(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    while (!peer.read_head().empty() && peer.send(bytes)) {
    }
  };
}

}  // namespace tollgate::testing
