// For tests of the reverse proxy: one request through a ReverseProxy to an upstream that follows a script,
// and a record of what the client would have seen.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/backends/upstream/upstream_backend.hpp"
#include "gateway/reasons.hpp"
#include "tests/support/scripted_upstream.hpp"

namespace tollgate::gateway::testing {

using std::chrono::milliseconds;
using tollgate::testing::let_go_of;
using tollgate::testing::once;
using tollgate::testing::once_then_close;
using tollgate::testing::once_then_reset;
using tollgate::testing::Peer;
using tollgate::testing::ScriptedUpstream;

inline Task<> sleep(EventLoop& loop, milliseconds time) {
  SteadyTimer timer(loop, time);
  co_await timer.async_wait(use_task_tuple);
}

// A request body in pieces, each after a pause.
struct PiecedBody : http::BodyReader {
  explicit PiecedBody(EventLoop& event_loop) : loop(event_loop) {}
  void limit(std::uint64_t bytes) override { limit_bytes = bytes; }
  Task<expected<std::string_view, const http::Reason*>> read() override {
    if (next == pieces.size()) {
      if (failure != nullptr) co_return unexpected(failure);
      co_return std::string_view();
    }
    co_await sleep(loop, pause);
    co_return std::string_view(pieces[next++]);
  }
  std::optional<std::string_view> all_if_buffered() override {
    if (pieces.empty()) return "";
    if (buffered) return pieces[0];
    return std::nullopt;
  }
  std::uint64_t bytes_arrived() const override { return 0; }
  SteadyTime last_arrival() const override { return {}; }
  const http::Fields& trailers() const override { return trailer_fields; }

  EventLoop& loop;
  std::vector<std::string> pieces;
  std::size_t next = 0;
  bool buffered = false;
  milliseconds pause{1};
  const http::Reason* failure = nullptr;
  std::uint64_t limit_bytes = 0;
  http::Fields trailer_fields;
};

// Keeps what a client would have seen.
struct RecordedResponse : http::ResponseWriter {
  Task<Result> inform(const http::ResponseHead& head) override {
    interim.push_back(head.status);
    co_return Result();
  }
  Task<Result> send(const http::ResponseHead& head, std::string_view whole) override {
    take(head);
    length = whole.size();
    body = whole;
    finished = true;
    ++sends;
    co_return Result();
  }
  Task<Result> start(const http::ResponseHead& head, std::optional<std::uint64_t> body_length) override {
    take(head);
    length = body_length;
    co_return Result();
  }
  Task<Result> write(std::string_view piece) override {
    if (gone) co_return unexpected(&http::reasons::client_gone);
    largest_piece = std::max(largest_piece, piece.size());
    bytes += piece.size();
    if (bytes < 1 << 20) body += piece;
    co_return Result();
  }
  Task<Result> finish(const http::Fields* last) override {
    if (last != nullptr) {
      for (const http::Field& field : *last)
        trailers += std::string(field.name) + "=" + std::string(field.value);
    }
    finished = true;
    co_return Result();
  }
  void abort() override { aborted = true; }
  bool started() const override { return code != 0; }
  int status() const override { return code; }
  std::uint64_t body_bytes() const override { return bytes; }

  void take(const http::ResponseHead& head) {
    EXPECT_EQ(code, 0) << "two final responses";
    code = head.status;
    for (const http::Field& field : head.fields) {
      fields += std::string(field.name) + ": " + std::string(field.value) + "\n";
    }
  }

  std::vector<int> interim;
  int code = 0;
  int sends = 0;
  std::optional<std::uint64_t> length;
  std::string fields;
  std::string body;
  std::string trailers;
  std::uint64_t bytes = 0;
  std::size_t largest_piece = 0;
  bool finished = false;
  bool aborted = false;
  bool gone = false;
};

struct CountedWatch : http::Exchange::ClientWatch {
  void start() override { ++started; }
  void stop() override { ++stopped; }
  int started = 0;
  int stopped = 0;
};

// One request through a proxy, and what became of it.
struct Call {
  explicit Call(EventLoop& loop) : body(loop) {
    request.method_name = "GET";
    request.target = "/a?b";
    request.path = "/a";
    request.query = "b";
    request.authority = "front";
    route.limits.io = milliseconds(300);
  }
  void post(std::vector<std::string> pieces, std::optional<std::uint64_t> content_length) {
    request.method = http::Method::post;
    request.method_name = "POST";
    request.content_length = content_length;
    body.pieces = std::move(pieces);
  }

  http::Request request;
  PiecedBody body;
  RecordedResponse response;
  http::Cancellation cancellation;
  CountedWatch watch;
  Route route;
  http::Exchange exchange{.request = request,
                          .body = body,
                          .response = response,
                          .cancellation = cancellation,
                          .remote_address = "192.0.2.7",
                          .local_address = {},
                          .received = {},
                          .request_id = "id-1",
                          .extra_fields = {},
                          .client_watch = watch};
  RequestContext context{
      .exchange = exchange, .route = route, .matched_prefix = {}, .detail = {}, .guest = {}, .upstream = {}};
  milliseconds took{};
};

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

class ProxyFixture : public ::testing::Test {
 protected:
  ReverseProxy& to(std::uint16_t port, const std::string& host = "127.0.0.1") {
    UpstreamBackend config;
    config.host = host;
    config.port = port;
    config.base_path = "/base";
    config.url = "http://" + host + ":" + std::to_string(port) + "/base";
    proxy = std::make_unique<ReverseProxy>(loop.get_executor(), config, addresses);
    upstream = addresses.find(host, port);
    return *proxy;
  }

  void serve(Call& call) {
    bool done = false;
    const SteadyTime begun = std::chrono::steady_clock::now();
    call.exchange.received = begun;
    asio::co_spawn(
        loop,
        [this, &call, &done]() -> Task<> {
          co_await proxy->serve(call.context);
          done = true;
        },
        asio::detached);
    loop.restart();
    const SteadyTime end = begun + std::chrono::seconds(20);
    while (!done && std::chrono::steady_clock::now() < end) loop.run_one_for(milliseconds(100));
    ASSERT_TRUE(done);
    call.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  }

  void run_for(milliseconds time) {
    loop.restart();
    loop.run_for(time);
  }

  EventLoop loop{1};
  TimerWheel wheel{loop};
  UpstreamAddresses addresses{loop.get_executor(), wheel};
  std::shared_ptr<Upstream> upstream;
  std::unique_ptr<ReverseProxy> proxy;
};

inline const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\n\r\nok";

inline void answer_ok(Peer& peer) {
  while (!peer.read_head().empty() && peer.send(ok)) {
  }
}

// What a script below has seen; to be read once the exchange has ended.
struct Received {
  std::string head;
  std::string body;
  bool closed = false;  // by the proxy
};
inline ScriptedUpstream::Script takes_body_and_answers_ok(std::size_t body_bytes, Received& received) {
  return [body_bytes, &received](Peer& peer) {
    received.head = peer.read_head();
    received.body = peer.read_exactly(body_bytes);
    peer.send(ok);
    peer.wait_for_close();
  };
}
inline ScriptedUpstream::Script never_answers(Received& received) {
  return [&received](Peer& peer) {
    received.head = peer.read_head();
    received.closed = peer.wait_for_close();
  };
}

inline const std::string long_head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
inline const std::string chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace tollgate::gateway::testing
