#include "gateway/upstream_addresses.hpp"

#include <boost/asio/ip/address.hpp>
#include <utility>

namespace tollgate::gateway {

Endpoints literal_endpoints(std::string_view host, std::uint16_t port) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return {};
  return {{address, port}};
}

std::shared_ptr<Upstream> UpstreamAddresses::find(const std::string& host, std::uint16_t port) {
  Entry& entry = entries_[{host, port}];
  if (entry.endpoints.empty()) entry.endpoints = literal_endpoints(host, port);
  std::shared_ptr<Upstream> upstream = entry.upstream.lock();
  if (!upstream) {
    upstream = std::make_shared<Upstream>(loop_, wheel_, entry.endpoints);
    entry.upstream = upstream;
  }
  return upstream;
}

void UpstreamAddresses::update(const std::string& host, std::uint16_t port, Endpoints endpoints) {
  Entry& entry = entries_[{host, port}];
  entry.endpoints = std::move(endpoints);
  if (const std::shared_ptr<Upstream> upstream = entry.upstream.lock()) {
    upstream->endpoints = entry.endpoints;
    upstream->pool.keep_only(entry.endpoints);
  }
}

}  // namespace tollgate::gateway
