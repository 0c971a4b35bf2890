// One connection to an upstream: connected once, then one exchange after the other until it is closed.
//
// A receive is pending whenever the connection waits, also while it lies idle in a ClientPool: so the close
// of an idle connection is noticed when it happens, its descriptor is freed at once, and taking one from the
// pool needs no probing. Sending goes straight to the kernel and suspends only when that takes no more.
//
// An exchange:
//   begin(method); send(...), then flush() if it says so; announce request_sent()
//   read_head() until it is final, read_body() until the end; wait whenever one says `more`
//   reusable()? back to the pool : close()
// Sending and reading may go on at the same time, each from one coroutine.
//
// Threads: the loop's one. Lifetime: a shared_ptr, since a pending receive keeps its buffer.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/async.hpp"
#include "base/timer_wheel.hpp"
#include "base/wakeup.hpp"
#include "http/response_parser.hpp"

namespace tollgate::http {

class ClientPool;

enum class ClientFailure : std::uint8_t {
  none,
  connect,          // no address took the connection
  connect_timeout,  // none did in time
  closed,           // the peer closed or reset before a response head was complete
  timeout,          // bytes did not come, or were not taken, in time
  response,         // the parser refused: refusal() says why
  interim_flood,    // more interim responses than client_limits::interim_responses_max
  cut,              // closed, reset or refused after the head was complete
  cancelled,        // close() was called
};

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  using Endpoint = asio::ip::tcp::endpoint;
  using Duration = std::chrono::steady_clock::duration;

  ClientConnection(Executor executor, TimerWheel& wheel);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Tries the endpoints in turn, each for its share of what is left of `timeout`.
  Task<ClientFailure> connect(std::span<const Endpoint> endpoints, Duration timeout);
  const error_code& error() const { return error_; }  // the last one, for the log
  const Endpoint& endpoint() const { return endpoint_; }

  void begin(Method method);

  enum class Sent : std::uint8_t { all, rest };

  // Up to three pieces in one gathered write. `rest`: the kernel took a part; the pieces must stay valid
  // until flush() has returned. A failed write counts as `all`: what the peer answered before it closed may
  // still be read, and reading tells the failure.
  Sent send(std::string_view first, std::string_view second = {}, std::string_view third = {});
  // Fails with `timeout` when the peer takes nothing for that long, with `cancelled` after close().
  Task<ClientFailure> flush(Duration timeout);
  bool write_failed() const { return write_failed_; }
  // The whole request has gone. A response that begins before this is an early one.
  void request_sent() { request_sent_ = true; }

  enum class Progress : std::uint8_t { ready, more, failed };

  // `ready`: response() has a head, interim or final. Call again after an interim one.
  Progress read_head();
  // `ready`: `piece` is the next part of the body, valid until begin_wait(); empty at the end.
  Progress read_body(std::string_view& piece);
  // The whole message has been read.
  bool complete() const { return parser_.state() == ResponseParser::State::complete; }
  const ResponseParser& response() const { return parser_; }
  ClientFailure failure() const { return failure_; }
  bool heard_anything() const { return heard_anything_; }

  enum class Waited : std::uint8_t { arrived, timed_out };

  // Until something has arrived, the connection was closed, or the time has come:
  //   begin_wait(until); if (!arrival().take()) co_await arrival().wait(); end_wait()
  // In three steps, so that the caller's coroutine is the only one.
  void begin_wait(SteadyTime until);
  Wakeup& arrival() { return arrival_; }
  Waited end_wait();

  // Makes a wait end as if something had arrived.
  void interrupt() { arrival_.notify_later(); }

  // After complete(): nothing happened that could make the next exchange misread its response.
  bool reusable() const;

  // Ends everything at once: pending operations fail with `cancelled`. May be called from a cancellation
  // hook.
  void close();

  // Scratch for whoever uses the connection, kept so that its memory is: heads, field lists.
  struct Scratch {
    std::string head;
    std::string text;
    std::vector<Field> fields;
  };
  Scratch& scratch() { return scratch_; }

 private:
  friend class ClientPool;

  Task<error_code> connect_to(const Endpoint& endpoint, SteadyTime until);
  void receive();
  void on_received(const error_code& error, std::size_t bytes);
  ClientFailure fail(ClientFailure failure);

  // For the pool: while idle, anything that happens removes the connection from it.
  void enter_idle(ClientPool& pool, SteadyTime until);
  void leave_idle();
  bool looks_alive() const;

  TcpSocket socket_;
  TimerWheel& wheel_;
  Endpoint endpoint_;
  error_code error_;
  ClientPool* pool_ = nullptr;  // set while idle in it

  ResponseParser parser_;
  Method method_ = Method::get;
  ClientFailure failure_ = ClientFailure::none;
  int interim_responses_ = 0;
  bool heard_anything_ = false;
  bool early_response_ = false;
  bool request_sent_ = false;
  bool write_failed_ = false;

  std::unique_ptr<char[]> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::size_t unread_begin_ = 0;
  std::size_t unread_end_ = 0;
  bool receiving_ = false;
  bool ended_ = false;       // the peer sends no more
  bool ended_well_ = false;  // by closing in order, not by a reset
  bool closed_ = false;

  std::array<std::string_view, 3> unsent_;
  Wakeup arrival_;
  bool timed_out_ = false;
  TimerWheel::Deadline read_deadline_;
  TimerWheel::Deadline write_deadline_;
  Scratch scratch_;
};

}  // namespace tollgate::http
