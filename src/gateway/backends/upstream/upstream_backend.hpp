// The reverse proxy: passes an exchange on to an upstream and its response back (forwarding.hpp says what of
// the heads). Bodies stream both ways at once; each side is read only as fast as the other takes it.
//
// What can fail, and what the client sees:
//   the name has no address                                      502 upstream_address
//   no address takes a connection                                502 upstream_connect
//   connecting, or any wait for the upstream, over limits.io     504 upstream_timeout
//   the route's deadline (the dispatcher's, by cancellation)     504 deadline
//   closed or reset before the head                              502 upstream_closed
//   refused by http/response_parser.hpp, 1xx floods              502 upstream_response
//   Content-Length over limits.response                          502 upstream_too_large
//   anything of this after the head has gone                     connection cut; upstream_cut in the log
//   request body over limits.body, slow, or broken               413, 408, 400 as everywhere
// A request without a body and with an idempotent method that was sent on a pooled connection is sent once
// more, on a fresh one, when the first died before a byte of the response.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/backend.hpp"
#include "gateway/backends/upstream/forwarding.hpp"
#include "gateway/backends/upstream/upstream_addresses.hpp"

namespace tollgate::gateway {

class ReverseProxy : public Backend {
 public:
  // `upstreams` is the worker's table and outlives this.
  ReverseProxy(Executor executor, const UpstreamBackend& config, UpstreamAddresses& upstreams);

  Task<> serve(RequestContext& context) override;

 private:
  Executor executor_;
  UpstreamTarget target_;
  std::shared_ptr<Upstream> upstream_;
};

}  // namespace tollgate::gateway
