// Notices that a client went away while nothing is read from it or written to it (exchange.hpp's
// ClientWatch).
//
// An end of the client's stream counts as gone, half-closed or not, as it does in nginx and Go's net/http: a
// client that still waits for its answer keeps its side open. Bytes of a next request or of an unread body
// are no sign of going; behind them the end is looked for by the socket's state once a second.
#pragma once

#include <boost/asio/cancellation_signal.hpp>

#include "base/timer_wheel.hpp"
#include "http/exchange.hpp"
#include "http/http1_stream.hpp"

namespace tollgate::http {

class Http1Watch final : public Exchange::ClientWatch {
 public:
  Http1Watch(ServerShared& shared, Http1Stream& stream, Cancellation& cancellation);

  void start() override;
  void stop() override;

  // While the body is read, the reading itself notices.
  class Pause {
   public:
    explicit Pause(Http1Watch& watch) : watch_(watch) { watch.disarm(); }
    ~Pause() {
      if (watch_.wanted_) watch_.arm();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Http1Watch& watch_;
  };

  // Waits until no completion is under way that would still touch this object. After stop(), before
  // destruction.
  Task<> quiet();

 private:
  static constexpr std::chrono::seconds recheck_interval{1};

  void arm();
  void disarm();
  void on_readable();
  static void on_recheck(void* self);

  ServerShared& shared_;
  Http1Stream& stream_;
  Cancellation& cancellation_;
  asio::cancellation_signal cancel_wait_;
  TimerWheel::Deadline recheck_;
  bool wanted_ = false;
  bool armed_ = false;
  std::uint32_t round_ = 0;    // completions of earlier rounds are ignored
  std::uint32_t pending_ = 0;  // completions to come
};

}  // namespace tollgate::http
