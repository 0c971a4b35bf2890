// Notices that a client went away while nothing is read from it or written to it (exchange.hpp's
// ClientWatch).
//
// An end of the client's stream counts as gone, half-closed or not, as it does in nginx and Go's net/http: a
// client that still waits for its answer keeps its side open. Bytes of a next request or of an unread body
// are no sign of going; the end is noticed behind them, too.
#pragma once

#include "http/exchange.hpp"
#include "http/http1_stream.hpp"

namespace tollgate::http {

class Http1Watch final : public Exchange::ClientWatch, private Http1Stream::EndListener {
 public:
  Http1Watch(Http1Stream& stream, Cancellation& cancellation)
      : stream_(stream), cancellation_(cancellation) {}

  void start() override {
    wanted_ = true;
    stream_.listen_for_end(*this);
  }
  void stop() override {
    wanted_ = false;
    stream_.forget_end();
  }

  // While the body is read, the reading itself notices.
  class Pause {
   public:
    explicit Pause(Http1Watch& watch) : watch_(watch) { watch_.stream_.forget_end(); }
    ~Pause() {
      if (watch_.wanted_) watch_.start();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Http1Watch& watch_;
  };

 private:
  void on_end() override { cancellation_.cancel(reasons::client_gone); }

  Http1Stream& stream_;
  Cancellation& cancellation_;
  bool wanted_ = false;
};

}  // namespace tollgate::http
