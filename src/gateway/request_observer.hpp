// Who is told how requests went: the seam between those who serve (dispatcher, backends) and those who count
// and log (stats_recorder.hpp). One per worker; outlives its dispatchers, so it goes on over reloads.
//
// Threads: the worker's one thread. Nothing here waits, allocates per request, or fails.
#pragma once

#include <string_view>

#include "gateway/backend.hpp"

namespace tollgate::gateway {

class RequestObserver {
 public:
  virtual ~RequestObserver() = default;

  // The response has been sent, or never will be. context.reason nullptr: as the client asked for.
  virtual void ended(const RequestContext& context) = 0;

  // The dispatcher answered without a route: 404, 405.
  virtual void unrouted(const http::Exchange& exchange, const http::Reason& reason) = 0;

  // A request that never became an exchange, or whose connection failed (http::Handler::refused).
  virtual void refused(const http::Reason& reason, std::string_view remote_address) = 0;

  // A sandbox of this route begins and ends. Called in pairs: use ActiveSandbox.
  virtual void sandbox_begun(const Route& route) = 0;
  virtual void sandbox_ended(const Route& route) = 0;

  // What a guest wrote to stderr, as it came (part of a line, several lines); bounded by
  // Limits::stderr_bytes.
  virtual void guest_stderr(const RequestContext& context, std::string_view bytes) = 0;
};

// Counts a sandbox as active for the guard's life.
class ActiveSandbox {
 public:
  ActiveSandbox(RequestObserver& observer, const Route& route) : observer_(observer), route_(route) {
    observer_.sandbox_begun(route_);
  }
  ~ActiveSandbox() { observer_.sandbox_ended(route_); }
  ActiveSandbox(const ActiveSandbox&) = delete;
  ActiveSandbox& operator=(const ActiveSandbox&) = delete;

 private:
  RequestObserver& observer_;
  const Route& route_;
};

}  // namespace tollgate::gateway
