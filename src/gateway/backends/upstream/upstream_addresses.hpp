// A worker's upstreams: for each name and port its current addresses and its idle connections. Workers never
// resolve names; the supervisor does and sends what it found (resolver.hpp), before the first table that
// needs it and whenever it changes. Literal addresses are known at once.
//
// Threads: the worker's one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/timer_wheel.hpp"
#include "http/client_pool.hpp"

namespace tollgate::gateway {

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

struct Upstream {
  Upstream(Executor executor, TimerWheel& wheel) : pool(executor, wheel) {}

  Endpoints endpoints;  // in the order to try; empty while the name has no address
  http::ClientPool pool;
};

// Outlives the backends that use it.
class UpstreamAddresses {
 public:
  UpstreamAddresses(Executor executor, TimerWheel& wheel) : executor_(executor), wheel_(wheel) {}

  // The upstream of that name (or numeric address, IPv6 without brackets), shared by every route to it and by
  // old and new tables during a reload.
  std::shared_ptr<Upstream> find(const std::string& host, std::uint16_t port);

  // New addresses of a name, numeric, in the order to try: in force for the next connection made; idle ones
  // to other addresses close. Empty: the name has no address any more. What is not an address is left out.
  void update(const std::string& host, std::span<const std::string> addresses);

 private:
  using Addresses = std::vector<asio::ip::address>;

  Executor executor_;
  TimerWheel& wheel_;
  std::map<std::string, Addresses> addresses_;
  std::map<std::pair<std::string, std::uint16_t>, std::weak_ptr<Upstream>> upstreams_;
};

}  // namespace tollgate::gateway
