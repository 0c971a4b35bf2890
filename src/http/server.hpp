// The HTTP server of a worker: its listeners and its connections.
//
//   EventLoop loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
//   TimerWheel wheel(loop);
//   Server server(loop, wheel, handler, log, ServerLimits{});
//   server.listen(UniqueFd(fd));
//   loop.run();
//
// Threads: the event loop's one. Handler and log outlive the server; wheel and server outlive the loop's last
// run, or are destroyed when drained() has completed.
#pragma once

#include <sys/socket.h>

#include <boost/intrusive/list.hpp>
#include <memory>
#include <vector>

#include "base/async.hpp"
#include "base/unique_fd.hpp"
#include "http/http1_connection.hpp"
#include "http/server_shared.hpp"
#include "http/sibling_servers.hpp"

namespace tollgate::http {

class Listener;

class Server final : public ConnectionOwner {
 public:
  Server(EventLoop& loop, TimerWheel& wheel, Handler& handler, Log& log, const ServerLimits& limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts on a descriptor that is bound and listening, IPv4 or IPv6. False if it is not a listening socket.
  bool listen(UniqueFd listening);

  // Stops accepting, answers what has begun or comes now with `Connection: close`, and closes connections
  // that are idle after ServerLimits::drain_grace. A second call cuts every connection at once.
  void drain();

  // Completes when the server drains and neither a listener nor a connection of it runs any more. One waiter.
  Task<> drained();

  const ServerCounters& counters() const { return shared_.counters; }

  // Connections that come from now on may become theirs. `siblings` outlives the server.
  void share_with(SiblingServers& siblings);
  // A connection that a sibling gave away. False, and it is closed: its client is gone, or it is none of TCP.
  bool adopt_given(UniqueFd connected);

  // For listeners: takes over a connected, non-blocking socket, gives it to a sibling, or refuses it at the
  // cap.
  void adopt(UniqueFd connected, const sockaddr_storage& remote, const Endpoint& local);
  void stopped_accepting();
  // The descriptor that the next closing connection frees is worth a try.
  void retry_when_closed() { retries_when_closed_ = true; }

 private:
  using All = boost::intrusive::list<Http1Connection, boost::intrusive::base_hook<OpenHook>,
                                     boost::intrusive::constant_time_size<false>>;
  using Idle = boost::intrusive::list<Http1Connection, boost::intrusive::base_hook<IdleHook>,
                                      boost::intrusive::constant_time_size<false>>;

  void idle(Http1Connection& connection) override { idle_.push_back(connection); }
  void busy(Http1Connection& connection) override { connection.IdleHook::unlink(); }
  void ended(Http1Connection& connection) override;
  void serve(UniqueFd connected, const sockaddr_storage& remote, const Endpoint& local);
  void tell_siblings();
  bool make_room();
  static void close_idle(void* self);
  void refuse_at_cap(int fd);

  EventLoop& loop_;
  ServerShared shared_;
  SiblingServers* siblings_ = nullptr;
  std::vector<std::unique_ptr<Listener>> listeners_;
  All open_;
  Idle idle_;                  // longest idle first
  std::size_t accepting_ = 0;  // listeners whose task has not ended
  SteadyTimer drained_;
  TimerWheel::Deadline drain_grace_{&close_idle, this};
  bool retries_when_closed_ = false;
};

}  // namespace tollgate::http
