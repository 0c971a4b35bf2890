// Why the gateway itself, a sandbox or an upstream did not give the answer asked for; http/reason.hpp has the
// rows of HTTP. docs/configuration.md lists every word.
#pragma once

#include "http/reason.hpp"

namespace tollgate::gateway::reasons {

using http::Reason;

// Routes
inline constexpr Reason not_found{"not_found", 404, "No route matches this path."};
inline constexpr Reason method_not_allowed{"method", 405, "This path does not take this method."};
inline constexpr Reason bad_parameter{"parameter", 400, "A parameter of the request is not valid."};
inline constexpr Reason bad_document{"document", 400, "The request body is not in the expected format."};

// Limits of a route
inline constexpr Reason deadline{"deadline", 504, "The request took longer than this route allows."};
inline constexpr Reason capacity{"capacity", 503, "The gateway is at its limit; try again later."};
inline constexpr Reason quarantine{"quarantine", 503, "This route is switched off after repeated crashes."};

// Sandboxes
inline constexpr Reason trap{"trap", 500, "The handler failed."};
inline constexpr Reason exit_code{"exit", 500, "The handler ended with an error."};
inline constexpr Reason memory{"memory", 500, "The handler ran out of memory."};
inline constexpr Reason cpu{"cpu", 504, "The handler used more CPU time than this route allows."};
inline constexpr Reason bad_response{"response", 502, "The handler's answer is not a valid response."};
inline constexpr Reason output{"output", 502, "The handler's answer is larger than this route allows."};

// Spawned programs; what they do wrong themselves is named as for sandboxes.
inline constexpr Reason spawn{"spawn", 502, "The handler's program could not be started."};

// Upstreams (backends/upstream/upstream_backend.hpp says when each is used).
inline constexpr Reason upstream_address{"upstream_address", 502, "The upstream's name has no address."};
inline constexpr Reason upstream_connect{"upstream_connect", 502, "The upstream could not be reached."};
inline constexpr Reason upstream_timeout{"upstream_timeout", 504, "The upstream did not answer in time."};
inline constexpr Reason upstream_closed{"upstream_closed", 502,
                                        "The upstream closed the connection unanswered."};
inline constexpr Reason upstream_response{"upstream_response", 502,
                                          "The upstream's response is not valid HTTP."};
inline constexpr Reason upstream_too_large{"upstream_too_large", 502,
                                           "The upstream's response is too large."};
// No answer reaches this one: the head had gone, so the client's connection was cut.
inline constexpr Reason upstream_cut{"upstream_cut", 502, "The upstream's response ended within its body."};

}  // namespace tollgate::gateway::reasons
