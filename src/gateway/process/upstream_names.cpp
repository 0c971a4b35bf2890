#include "gateway/process/upstream_names.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <set>
#include <utility>

#include "base/task_group.hpp"
#include "gateway/backends/upstream/resolver.hpp"
#include "gateway/process/limits.hpp"

namespace tollgate::gateway {
namespace {

// Numeric addresses are no names: workers understand them by themselves.
std::set<std::string> names_in(const Config& config) {
  std::set<std::string> names;
  for (const Route& route : config.routes) {
    const auto* upstream = std::get_if<UpstreamBackend>(&route.backend);
    if (upstream == nullptr) continue;
    error_code not_numeric;
    asio::ip::make_address(upstream->host, not_numeric);
    if (not_numeric) names.insert(upstream->host);
  }
  return names;
}

}  // namespace

Task<> UpstreamNames::learn(const Config& config) {
  TaskGroup resolving(loop_.get_executor());
  for (const std::string& host : names_in(config)) {
    if (!names_.contains(host)) resolving.spawn(resolve_one(host));
  }
  co_await resolving.wait();
  due_.cancel();
}

void UpstreamNames::keep(const Config& config) {
  const std::set<std::string> wanted = names_in(config);
  std::erase_if(names_, [&wanted](const auto& name) { return !wanted.contains(name.first); });
}

std::vector<message::Upstreams> UpstreamNames::known() const {
  std::vector<message::Upstreams> messages;
  for (const auto& [host, name] : names_) {
    if (messages.empty() || messages.back().upstreams.size() == upstreams_per_packet_max)
      messages.emplace_back();
    messages.back().upstreams.push_back({host, name.addresses});
  }
  return messages;
}

Task<message::Upstreams> UpstreamNames::changes() {
  SteadyTime next = std::chrono::steady_clock::now() + resolve_ttl_max;
  for (const auto& [host, name] : names_) next = std::min(next, name.due);
  due_.expires_at(std::max(next, std::chrono::steady_clock::now() + resolve_pause_min));
  co_await due_.async_wait(use_task_tuple);

  const SteadyTime now = std::chrono::steady_clock::now();
  std::map<std::string, std::vector<std::string>> before;
  TaskGroup resolving(loop_.get_executor());
  for (const auto& [host, name] : names_) {
    if (name.due > now || before.size() == upstreams_per_packet_max) continue;
    before.emplace(host, name.addresses);
    resolving.spawn(resolve_one(host));
  }
  co_await resolving.wait();
  message::Upstreams changed;
  for (const auto& [host, addresses] : before) {
    const auto name = names_.find(host);
    if (name == names_.end() || name->second.addresses == addresses) continue;
    changed.upstreams.push_back({host, name->second.addresses});
  }
  co_return changed;
}

// The answer of a name server that fails later does not take away addresses that worked.
Task<> UpstreamNames::resolve_one(std::string host) {
  auto resolved = co_await resolve(loop_, host, name_servers_);
  Name& name = names_[host];
  if (resolved) {
    name.addresses = std::move(resolved->addresses);
    name.due = std::chrono::steady_clock::now() + resolved->ttl;
  } else {
    log_.warning("upstream {}", resolved.error());
    name.due = std::chrono::steady_clock::now() + resolve_ttl_min;
  }
}

}  // namespace tollgate::gateway
