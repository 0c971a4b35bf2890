#include "gateway/backends/upstream/upstream_addresses.hpp"

#include <boost/asio/ip/address.hpp>

namespace tollgate::gateway {
namespace {

std::vector<asio::ip::address> parse(std::span<const std::string> texts) {
  std::vector<asio::ip::address> addresses;
  for (const std::string& text : texts) {
    error_code error;
    const auto address = asio::ip::make_address(text, error);
    if (!error) addresses.push_back(address);
  }
  return addresses;
}

Endpoints endpoints_of(std::span<const asio::ip::address> addresses, std::uint16_t port) {
  Endpoints endpoints;
  for (const asio::ip::address& address : addresses) endpoints.emplace_back(address, port);
  return endpoints;
}

}  // namespace

std::shared_ptr<Upstream> UpstreamAddresses::find(const std::string& host, std::uint16_t port) {
  std::erase_if(upstreams_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Upstream>& entry = upstreams_[{host, port}];
  std::shared_ptr<Upstream> upstream = entry.lock();
  if (upstream) return upstream;
  upstream = std::make_shared<Upstream>(executor_, wheel_);
  entry = upstream;
  const auto known = addresses_.find(host);
  const Addresses addresses = known != addresses_.end() ? known->second : parse({&host, 1});
  upstream->endpoints = endpoints_of(addresses, port);
  return upstream;
}

void UpstreamAddresses::update(const std::string& host, std::span<const std::string> addresses) {
  const Addresses& current = addresses_[host] = parse(addresses);
  for (const auto& [name, entry] : upstreams_) {
    const std::shared_ptr<Upstream> upstream = name.first == host ? entry.lock() : nullptr;
    if (!upstream) continue;
    upstream->endpoints = endpoints_of(current, name.second);
    upstream->pool.keep_only(upstream->endpoints);
  }
}

}  // namespace tollgate::gateway
