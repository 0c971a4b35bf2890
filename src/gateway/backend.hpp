// What a route does with an exchange. One object per route per loaded table, shared by all its requests; it may
// count on being destroyed only after the last of them has ended.
#pragma once

#include "gateway/config.hpp"
#include "http/exchange.hpp"

namespace tollgate::gateway {

// One request's state between dispatcher and backend; fields the backend fills are for the log and the metrics.
struct RequestContext {
  http::Exchange& exchange;
  const Route& route;
  std::string_view matched_prefix;               // "/api" for route "/api/*"; the whole path for an exact one
  const http::Reason* reason = nullptr;          // why it failed, if it did
  std::string detail;                            // one sentence for the log
  std::chrono::nanoseconds queued{};             // waited for admission
  std::chrono::nanoseconds handled{};            // worked on by the backend
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Answers through context.exchange.response. On failure before a head was sent it may instead set
  // context.reason (and detail) and return: the dispatcher then sends the error response.
  virtual Task<> serve(RequestContext& context) = 0;
};

}  // namespace tollgate::gateway
