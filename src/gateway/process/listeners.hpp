// Listening sockets, opened by the supervisor and kept by it for as long as they are configured: a connection that
// waits in the queue of a dead worker is served by the next one.
//
// An address has one socket per worker (SO_REUSEPORT; the kernel picks one by a hash of the connection). The first
// socket of an address is bound and set listening *without* SO_REUSEPORT, which fails if anybody, another tollgate
// included, listens there; only then is the option set, so that its siblings can join. No lock file is needed and
// there is no moment at which two gateways could share an address unnoticed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Connections the kernel keeps for us until they are accepted; it caps this at net.core.somaxconn.
inline constexpr int listen_backlog = 4096;

// One configured address and its sockets.
class ListenAddress {
 public:
  // `address` is "127.0.0.1:8080" or "[::1]:0": numeric, port 0 for a free one. Opens `sockets` of them.
  static expected<ListenAddress, std::string> open(const std::string& address, unsigned sockets);

  const std::string& configured() const { return configured_; }
  const std::string& actual() const { return actual_; }  // with the real port
  int socket(unsigned index) const { return sockets_.at(index).get(); }
  unsigned sockets() const { return static_cast<unsigned>(sockets_.size()); }

  // Opens or closes sockets until there are that many.
  expected<void, std::string> resize(unsigned sockets);

 private:
  std::string configured_;
  std::string actual_;
  std::vector<UniqueFd> sockets_;
};

// Waits for nothing: for tests and for addresses that only the supervisor serves (admin, kill port).
expected<UniqueFd, std::string> listen_alone(const std::string& address);

// The address a socket is bound to, in the notation of the configuration.
std::string bound_address(int socket);

}  // namespace tollgate::gateway
