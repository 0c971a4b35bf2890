// A request body arriving over HTTP/1.1 (RFC 9112 sections 6 and 7): by length or chunked, pulled by the
// handler. What came with the head lies in the input buffer; the rest is read in larger pieces into a buffer
// that is borrowed from the server for as long as the body lasts.
#pragma once

#include <algorithm>

#include "http/exchange.hpp"
#include "http/http1_stream.hpp"
#include "http/http1_watch.hpp"
#include "http/request_parser.hpp"
#include "http/server_shared.hpp"

namespace tollgate::http {

class Http1Body final : public BodyReader {
 public:
  Http1Body(ServerShared& shared, Http1Stream& stream, RequestParser& parser, Http1Watch& watch)
      : shared_(shared), stream_(stream), parser_(parser), watch_(watch) {}

  // For the request the parser has just completed; its head is consumed from the input.
  void begin();

  void limit(std::uint64_t bytes) override { limit_ = bytes; }
  Task<expected<std::string_view, const Reason*>> read() override;
  std::optional<std::string_view> all_if_buffered() override;
  void interrupt(const Reason& cause) override;
  std::uint64_t bytes_arrived() const override {
    return given_ + std::min<std::uint64_t>(remaining_, stream_.input().unread().size());
  }
  SteadyTime last_arrival() const override { return last_arrival_; }
  const Fields& trailers() const override { return parser_.trailers(); }

  // Whether the connection can carry another request after this body: it was read, or little enough of it is
  // left to be read away. A client that still waits for `100 Continue` may send its body or not, and nobody
  // can tell.
  bool reusable() const;

  // The connection ends after this exchange: what is left is not worth reading.
  void abandon() {
    if (!done_ && error_ == nullptr) error_ = &reasons::client_gone;
  }

  // Something is left that read_rest() should read away.
  bool has_rest() const { return !done_ && reusable(); }
  Task<> read_rest();

  // The end of the exchange. True when the connection stands at the next request, whose first bytes, if they
  // came with the body, are in the input.
  bool finish();

 private:
  bool over_limit();
  std::string_view take(char* bytes, std::size_t size);
  std::string_view decode(char* bytes, std::size_t size);
  Task<expected<std::size_t, const Reason*>> receive();
  Task<expected<void, const Reason*>> send_continue();

  ServerShared& shared_;
  Http1Stream& stream_;
  RequestParser& parser_;
  Http1Watch& watch_;

  bool chunked_ = false;
  bool done_ = true;
  bool awaiting_continue_ = false;
  bool sending_continue_ = false;  // a read() waits for it to go
  bool receiving_ = false;         // a read() waits on the socket
  std::uint64_t remaining_ = 0;    // by length: content bytes not yet given out
  std::uint64_t given_ = 0;        // content bytes given out
  std::uint64_t limit_ = UINT64_MAX;
  SteadyTime last_arrival_{};
  const Reason* error_ = nullptr;
  std::string_view decoded_;  // by all_if_buffered, for the next read()
  BodyBuffer buffer_;
  std::string_view next_request_;  // in buffer_, behind the body's end
};

}  // namespace tollgate::http
