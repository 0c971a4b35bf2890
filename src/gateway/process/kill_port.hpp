// The kill port: the first connection gets "Shutting down" and starts the drain, so that a Kubernetes preStop
// hook can be a plain HTTP GET. What the client sends is not looked at.
#pragma once

#include <optional>
#include <string>

#include "base/async.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

class KillPort {
 public:
  KillPort(EventLoop& loop, UniqueFd listener);

  const std::string& address() const { return address_; }  // with the real port

  // The first connection, answered, and the port closed; nullopt after close().
  Task<std::optional<TcpSocket>> asked();
  void close();

 private:
  TcpAcceptor acceptor_;
  std::string address_;
};

// Reads the client's request away until it closes, for at most kill_port_linger: closing at once would reset
// the connection and could destroy the answer on its way.
Task<> linger(TcpSocket& socket);

}  // namespace tollgate::gateway
