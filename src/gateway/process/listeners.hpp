// Listening sockets, opened by the supervisor and kept by it for as long as they are configured: a connection
// that waits in the queue of a dead worker is served by the next one.
//
// An address has one socket per worker (SO_REUSEPORT; the kernel picks one by a hash of the connection,
// and siblings.hpp evens that out). The first socket of an address is bound and set listening *without*
// SO_REUSEPORT, which fails if anybody, another tollgate included, listens there; only then is the option
// set, so that its siblings can join. No lock file is needed and there is no moment at which two gateways
// could share an address unnoticed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Connections the kernel keeps for us until they are accepted; it caps this at net.core.somaxconn.
inline constexpr int listen_backlog = 4096;

// One configured address and its sockets.
class ListenAddress {
 public:
  // `address` is "127.0.0.1:8080" or "[::1]:0": numeric, port 0 for a free one. Opens `sockets` of them; the
  // first one listens already.
  static expected<ListenAddress, std::string> open(const std::string& address, unsigned sockets);

  const std::string& configured() const { return configured_; }
  const std::string& actual() const { return actual_; }  // with the real port
  int socket(unsigned index) const { return sockets_.at(index).get(); }
  unsigned sockets() const { return static_cast<unsigned>(sockets_.size()); }

  // New connections go to the first `sockets` of them only, until resize() opens more; with a number that is
  // not smaller than theirs, to all. To be called well before the others are closed, for closing a socket
  // resets the handshakes that have begun with it. A kernel that cannot goes on choosing among all.
  void steer_to_first(unsigned sockets);

  // Opens or closes sockets until there are that many. New ones get no connections until activate(), so that
  // nobody waits in the queue of a socket that may be given up again.
  expected<void, std::string> resize(unsigned sockets);
  expected<void, std::string> activate();

 private:
  std::string configured_;
  std::string actual_;
  std::vector<UniqueFd> sockets_;
};

// All addresses of a configuration.
class ListenerSet {
 public:
  // `serving` (may be null) is the set in use: an address that is in both keeps its sockets, and if that
  // fails the set in use is as it was.
  static expected<ListenerSet, std::string> open(const std::vector<std::string>& addresses, unsigned sockets,
                                                 const ListenerSet* serving);

  expected<void, std::string> activate();
  void steer_to_first(unsigned sockets);
  // Closes the sockets beyond that number. Whoever else holds them accepts what is queued.
  void shrink(unsigned sockets);

  std::vector<std::string> actual() const;
  // The sockets of one worker, one per address.
  std::vector<int> of_worker(unsigned index) const;

 private:
  std::vector<std::shared_ptr<ListenAddress>> addresses_;
};

// For addresses that only the supervisor serves (admin, kill port).
expected<UniqueFd, std::string> listen_alone(const std::string& address);

// The address a socket is bound to, in the notation of the configuration.
std::string bound_address(int socket);

}  // namespace tollgate::gateway
