// A worker's upstreams: for each name:port its current addresses and its idle connections. Workers never resolve
// names; the supervisor does and sends what it found (resolver.hpp), at load and whenever it changes. Literal
// addresses are known at once.
//
// Threads: the worker's one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/timer_wheel.hpp"
#include "http/client_pool.hpp"

namespace tollgate::gateway {

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

// The endpoint of a literal address ("192.0.2.1", "2001:db8::1"); empty for a name.
Endpoints literal_endpoints(std::string_view host, std::uint16_t port);

struct Upstream {
  Upstream(EventLoop& loop, TimerWheel& wheel, Endpoints known) : endpoints(std::move(known)), pool(loop, wheel) {}

  Endpoints endpoints;  // in the order to try; empty while the name has no address
  http::ClientPool pool;
};

// Outlives the backends that use it.
class UpstreamAddresses {
 public:
  UpstreamAddresses(EventLoop& loop, TimerWheel& wheel) : loop_(loop), wheel_(wheel) {}

  // The upstream of that name, shared by every route to it and by old and new tables during a reload.
  std::shared_ptr<Upstream> find(const std::string& host, std::uint16_t port);

  // New addresses of a name, in force for the next connection made; idle ones to other addresses close. An empty
  // list is a name that has lost its addresses.
  void update(const std::string& host, std::uint16_t port, Endpoints endpoints);

 private:
  struct Entry {
    Endpoints endpoints;
    std::weak_ptr<Upstream> upstream;
  };

  EventLoop& loop_;
  TimerWheel& wheel_;
  std::map<std::pair<std::string, std::uint16_t>, Entry> entries_;
};

}  // namespace tollgate::gateway
