// The idle keep-alive connections of one worker to one upstream. The most recently used goes first, so that
// those not needed any more grow old and leave.
//
// Threads: the loop's one. Outlives nothing: connections in use are independent of it and may be given back
// to it only while it lives.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "http/client_connection.hpp"

namespace tollgate::http {

class ClientPool {
 public:
  ClientPool(Executor executor, TimerWheel& wheel) : executor_(executor), wheel_(wheel) {}
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  // A close that has arrived but not been noticed yet fails the request on it. One that can be sent again
  // need not care; for the others each connection is asked (one system call).
  enum class Check : std::uint8_t { none, alive };

  // nullptr: none is idle.
  std::shared_ptr<ClientConnection> take(Check check);
  // Not connected yet.
  std::shared_ptr<ClientConnection> make();
  // Keeps it if it is reusable() and there is room, else closes it.
  void give_back(std::shared_ptr<ClientConnection> connection);

  // After the upstream's addresses have changed: closes idle connections to others.
  void keep_only(std::span<const ClientConnection::Endpoint> endpoints);

  std::size_t idle() const { return idle_.size(); }

 private:
  friend class ClientConnection;
  void forget(ClientConnection& connection);

  Executor executor_;
  TimerWheel& wheel_;
  std::vector<std::shared_ptr<ClientConnection>> idle_;
};

}  // namespace tollgate::http
