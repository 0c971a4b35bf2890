// Writes one response over HTTP/1.1 (RFC 9112). Head and body leave in one gathered write; what the kernel
// does not take at once is waited for, and that is the back-pressure.
#pragma once

#include <array>

#include "http/exchange.hpp"
#include "http/http1_body.hpp"
#include "http/http1_stream.hpp"
#include "http/response_head.hpp"
#include "http/server_shared.hpp"

namespace tollgate::http {

class Http1Response final : public ResponseWriter {
 public:
  Http1Response(ServerShared& shared, Http1Stream& stream, const Http1Body& body)
      : shared_(shared), stream_(stream), body_(body) {}

  enum class ClientWants : std::uint8_t { keep_alive, close };
  void begin(const Exchange& exchange, ClientWants wants);

  Task<Result> inform(const ResponseHead& head) override;
  Task<Result> send(const ResponseHead& head, std::string_view body) override;
  std::optional<Result> try_send(const ResponseHead& head, std::string_view body) override;
  Task<Result> start(const ResponseHead& head, std::optional<std::uint64_t> length) override;
  Task<Result> write(std::string_view piece) override;
  Task<Result> finish(const Fields* trailers) override;
  void abort() override;

  bool started() const override { return state_ != State::nothing; }
  int status() const override { return status_; }
  std::uint64_t body_bytes() const override { return body_bytes_; }

  // The response is complete, to be sent at the end of the turn at the latest, and the client was told that
  // the connection stays.
  bool keeps_connection() const { return state_ == State::complete && persistence_ != Persistence::close; }
  bool complete() const { return state_ == State::complete; }

 private:
  enum class State : std::uint8_t { nothing, sending, streaming, complete, failed };

  bool bodiless(int status) const;
  // A connection that ends is not kept open for the end of the turn.
  bool keeps_connection_once_sent() const { return persistence_ != Persistence::close; }
  void write_head(const ResponseHead& head, const BodyFraming& framing);
  std::span<iovec> whole(const ResponseHead& head, std::string_view body);
  Task<Result> put(std::span<iovec> pieces);
  Task<Result> put_rest(std::span<iovec> pieces, std::size_t taken);

  ServerShared& shared_;
  Http1Stream& stream_;
  const Http1Body& body_;
  const Exchange* exchange_ = nullptr;
  ClientWants wants_ = ClientWants::close;
  State state_ = State::nothing;
  Persistence persistence_ = Persistence::close;
  BodyFraming framing_;
  bool send_body_ = true;
  int status_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::array<iovec, 2> pieces_{};  // of a whole response
  std::size_t taken_ = 0;          // of them by try_send, while sending
  std::string rest_;               // of a head or chunk line the kernel did not take at once
};

}  // namespace tollgate::http
