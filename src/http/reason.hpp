// Why an exchange did not get the answer it asked for. One row per reason: its word (in `x-tollgate-error`,
// the access log and the metric label `reason`), its HTTP status, and the sentence of the short body.
//
// Rows of this file concern HTTP itself; gateway/reasons.hpp adds those of routes, sandboxes and upstreams.
// A Reason has static storage duration: compare by address, pass by pointer, nullptr is "no failure".
#pragma once

#include <string_view>

namespace tollgate::http {

struct Reason {
  std::string_view word;
  int status;
  std::string_view text;
};

namespace reasons {

inline constexpr Reason malformed{"malformed", 400, "The request is not valid HTTP."};
inline constexpr Reason ambiguous_framing{"framing", 400,
                                          "The message's length could be read in more than one way."};
inline constexpr Reason bad_host{"host", 400, "A request needs exactly one valid Host."};
inline constexpr Reason bad_target{"target", 400, "The request target is not allowed."};
inline constexpr Reason request_timeout{"request_timeout", 408, "The request did not arrive in time."};
inline constexpr Reason body_too_large{"body", 413, "The request body is larger than this route allows."};
inline constexpr Reason uri_too_long{"uri", 414, "The request target is too long."};
inline constexpr Reason expectation_failed{"expectation", 417, "The expectation is not supported."};
inline constexpr Reason headers_too_large{"headers", 431, "The header section is too large."};
inline constexpr Reason not_implemented{"not_implemented", 501,
                                        "The method or transfer coding is not implemented."};
inline constexpr Reason version_unsupported{"version", 505, "Only HTTP/1.0 and HTTP/1.1 are served here."};
inline constexpr Reason too_many_connections{"connections", 503, "Too many connections are open."};
inline constexpr Reason internal{"internal", 500, "The gateway failed."};
// No answer reaches these two; they are for the log and the metrics.
inline constexpr Reason client_gone{"client_gone", 499, "The client went away."};
inline constexpr Reason write_timeout{"write_timeout", 499, "The client stopped reading."};

}  // namespace reasons
}  // namespace tollgate::http
