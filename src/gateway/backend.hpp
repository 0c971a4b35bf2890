// What a route does with an exchange. One object per route per loaded table, shared by all its requests; it
// may count on being destroyed only after the last of them has ended.
#pragma once

#include <optional>

#include "gateway/config/config.hpp"
#include "http/exchange.hpp"
#include "sandbox/program.hpp"

namespace tollgate::gateway {

// What one request asked of an upstream.
struct UpstreamUse {
  int status = 0;              // of the upstream's response; 0 when there was none
  std::uint16_t connects = 0;  // connections opened for it, also those that failed
  std::uint16_t reuses = 0;    // times it was sent over a pooled connection
  std::uint16_t retries = 0;   // sent again because a pooled connection had died
};

// What one run of a spawned program took.
struct ProgramCosts {
  std::chrono::nanoseconds run{};  // from asking for it until all of it was gone
  std::chrono::nanoseconds cpu{};  // with its descendants'
  std::uint64_t memory_bytes_peak = 0;
};

// One request's state between dispatcher and backend; fields the backend fills are for the log and the
// metrics.
struct RequestContext {
  http::Exchange& exchange;
  const Route& route;
  std::string_view matched_prefix;       // "/api" for route "/api/*"; the whole path for an exact one
  const http::Reason* reason = nullptr;  // why it failed, if it did
  std::string detail;                    // one sentence for the log
  std::chrono::nanoseconds queued{};     // waited for admission

  // Set by the backends that have them.
  std::optional<sandbox::Costs> guest;  // of the guest that ran, also one of `transform`
  std::optional<ProgramCosts> program;  // that was spawned, also one of `transform`
  UpstreamUse upstream;
};

// An answer that is always the same. The views live as long as the backend.
struct FixedResponse {
  http::ResponseHead head;
  std::string_view body;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // What every request gets, if that is always the same: the dispatcher then sends it without calling
  // serve(), and needs no deadline. Asked once, when the table is loaded.
  virtual const FixedResponse* fixed_response() const { return nullptr; }

  // Answers through context.exchange.response. On failure before a head was sent it may instead set
  // context.reason (and detail) and return: the dispatcher then sends the error response. An empty task
  // (`valid()` is false) says that all is done already: what need not wait needs no coroutine. `context`
  // lives until the task has ended.
  virtual Task<> serve(RequestContext& context) = 0;
};

}  // namespace tollgate::gateway
