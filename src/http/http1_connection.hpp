// One client connection speaking HTTP/1.1 (RFC 9112): one coroutine from accept to close, that reads a head,
// has the handler answer it, and reads the next. The usual request (its head arrives in one piece, its answer
// leaves at once) needs no other coroutine.
//
// Every end of a connection is one of: the client closed, either side said `Connection: close`, a phase ran
// out of time, a head was refused (answered, then read on a little so that the answer arrives), a response
// was cut short.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <memory>

#include "http/endpoint.hpp"
#include "http/exchange.hpp"
#include "http/http1_body.hpp"
#include "http/http1_response.hpp"
#include "http/http1_stream.hpp"
#include "http/http1_watch.hpp"
#include "http/request_parser.hpp"
#include "http/server_shared.hpp"

namespace tollgate::http {

class Http1Connection;

// Who keeps the connections of a worker and may close the idle ones.
class ConnectionOwner {
 public:
  virtual void idle(Http1Connection& connection) = 0;
  virtual void busy(Http1Connection& connection) = 0;
  virtual void ended(Http1Connection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

using AutoUnlink = boost::intrusive::link_mode<boost::intrusive::auto_unlink>;
using OpenHook = boost::intrusive::list_base_hook<AutoUnlink, boost::intrusive::tag<struct OpenTag>>;
using IdleHook = boost::intrusive::list_base_hook<AutoUnlink, boost::intrusive::tag<struct IdleTag>>;

class Http1Connection final : public OpenHook, public IdleHook {
 public:
  // `connected` is a connected, non-blocking socket.
  Http1Connection(ServerShared& shared, ConnectionOwner& owner, EventLoop& loop, UniqueFd connected,
                  const Endpoint& remote, const Endpoint& local);

  // The connection's life. It owns itself: gone when this ends.
  static Task<> run(std::unique_ptr<Http1Connection> connection);

  // No request is under way: close when all answers are sent. What has just arrived is answered all the same,
  // as the last.
  void close_idle();

  // The client takes its answers slower than they come.
  bool waits_to_send() const { return stream_.waits_to_send(); }

  // Close now, whatever is under way.
  void cut();

 private:
  enum class Next : std::uint8_t { more, request, refused, timed_out, closed };

  Task<> serve();
  Next begin_head();
  Next parse_head();
  Next on_head_bytes(const error_code& error, std::size_t size);
  Exchange begin_exchange();
  Task<> settle(Exchange& exchange);
  Task<> refuse(const Reason& reason, std::string_view detail, std::string_view request_id);
  void begin_head_wait();
  void leave_idle();
  bool receive_now();
  bool answered_any() const { return received_ != SteadyTime{}; }
  bool closes_over_unread();

  ServerShared& shared_;
  ConnectionOwner& owner_;
  Endpoint remote_;
  Endpoint local_;
  Cancellation cancellation_;
  RequestParser parser_;
  Http1Stream stream_;
  Http1Watch watch_;
  Http1Body body_;
  Http1Response response_;
  SteadyTime received_{};
  std::array<char, request_id_bytes_max> request_id_{};
  std::uint32_t answered_in_turn_ = 0;
  bool waiting_idle_ = false;
  bool closing_ = false;
};

}  // namespace tollgate::http
