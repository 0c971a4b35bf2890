// Accepts connections on one listening descriptor for a Server.
//
// A connection that died in the backlog (ECONNABORTED and the network errors accept(2) names) is passed over.
// After any other failure it logs the cause, rests, longer each time, and tries again; at once when a
// connection closes, for the usual cause is that descriptors or memory have run out. Meanwhile the kernel's
// backlog holds the clients.
#pragma once

#include "base/async.hpp"
#include "base/unique_fd.hpp"
#include "http/endpoint.hpp"
#include "http/limits.hpp"
#include "http/server_shared.hpp"

namespace tollgate::http {

class Server;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Of a TCP socket that came from elsewhere.
asio::ip::tcp protocol_of(int socket);

class Listener {
 public:
  Listener(EventLoop& loop, Server& server, ServerShared& shared, UniqueFd listening);

  // False if the descriptor is not a listening socket.
  bool usable() const { return socket_.is_open(); }

  // Accepts until stop(), and tells the server when it has ended.
  void start();
  void stop();

  // A descriptor may have become free.
  void retry_now();

 private:
  enum class Turn : std::uint8_t { drained, unfinished, failed };

  Task<> run();
  Turn accept_some();
  void on_failure(int error);

  EventLoop& loop_;
  Server& server_;
  ServerShared& shared_;
  TcpAcceptor socket_;
  Endpoint local_;
  SteadyTimer pause_;
  Duration pause_length_;
  SteadyTime logs_again_{};  // not before
  bool stopped_ = false;
};

}  // namespace tollgate::http
