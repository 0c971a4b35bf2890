// What passes through the reverse proxy and what does not. Heads are written anew from what was understood,
// never passed through (RFC 9110 section 7.6).
//
// Towards the upstream
//   dropped   Connection and what it names, Keep-Alive, Proxy-Connection, Proxy-Authorization, TE, Upgrade,
//             HTTP2-Settings, Transfer-Encoding, Content-Length, Expect, Host, and whatever the client said
//             about its own way here: Forwarded, X-Forwarded-*, X-Request-Id
//   written   Host of the upstream; X-Forwarded-For (the peer's address), X-Forwarded-Host (what the client
//             asked for), X-Forwarded-Proto; Forwarded (RFC 7239, the same three); X-Request-Id of this
//             exchange; Content-Length or Transfer-Encoding by our own framing; `TE: trailers` when the
//             client takes trailers
// Towards the client
//   dropped   the same hop-by-hop fields; Content-Length, Transfer-Encoding and Trailer (the connection
//   frames
//             anew); X-Upstream-*, x-tollgate-error
//   written   X-Upstream-Url, X-Upstream-Status
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

namespace tollgate::gateway {

// How the request body is framed towards the upstream.
struct RequestFraming {
  enum class Kind : std::uint8_t { none, length, chunked } kind = Kind::none;
  std::uint64_t length = 0;
};

// Where requests go, in the spelling that heads need.
struct UpstreamTarget {
  std::string authority;  // Host: name or [v6], with the port unless it is 80
  std::string base_path;  // "" or "/base"
  std::string url;        // as configured, without a slash at the end
};

// The framing for a request whose body (if any) is passed on: nullopt length means chunked; a length of 0 is
// written only when the client wrote one.
RequestFraming frame_request(const http::Request& request);

// Appends the head of the request that goes to the upstream.
void write_request_head(std::string& out, const http::Exchange& exchange, const UpstreamTarget& target,
                        RequestFraming framing);

// Appends the URL that was asked of the upstream, for X-Upstream-Url.
void write_upstream_url(std::string& out, const http::Request& request, const UpstreamTarget& target);

// Adds those of `fields` that the client may see.
void forward_response_fields(const http::Fields& fields, std::vector<http::Field>& out);

// Adds the trailer fields that may be passed on: none that would change framing, routing or the connection
// (RFC 9110 section 6.5.1).
void forward_trailers(const http::Fields& trailers, http::Fields& out);

// Appends "name: value\r\n" for each trailer and the empty line.
void write_trailers(std::string& out, const http::Fields& trailers);

}  // namespace tollgate::gateway
