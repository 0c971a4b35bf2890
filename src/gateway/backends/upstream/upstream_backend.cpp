#include "gateway/backends/upstream/upstream_backend.hpp"

#include <fmt/format.h>

#include "gateway/backends/upstream/upstream_exchange.hpp"

namespace tollgate::gateway {
namespace {

UpstreamTarget target_of(const UpstreamBackend& config) {
  const bool is_v6 = config.host.find(':') != std::string::npos;
  UpstreamTarget target;
  target.authority = is_v6 ? fmt::format("[{}]", config.host) : config.host;
  if (config.port != 80) target.authority += fmt::format(":{}", config.port);
  target.base_path = config.base_path;
  target.url = config.url;
  while (target.url.ends_with('/')) target.url.pop_back();
  return target;
}

}  // namespace

ReverseProxy::ReverseProxy(Executor executor, const UpstreamBackend& config, UpstreamAddresses& upstreams)
    : executor_(executor), target_(target_of(config)), upstream_(upstreams.find(config.host, config.port)) {}

Task<> ReverseProxy::serve(RequestContext& context) {
  return UpstreamExchange::run(executor_, context, *upstream_, target_);
}

}  // namespace tollgate::gateway
