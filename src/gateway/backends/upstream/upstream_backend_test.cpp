#include "gateway/backends/upstream/upstream_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "gateway/reasons.hpp"
#include "tests/support/scripted_upstream.hpp"

namespace tollgate::gateway {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using tollgate::testing::Peer;
using tollgate::testing::ScriptedUpstream;

Task<> sleep(EventLoop& loop, milliseconds time) {
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

// The upstream has seen every connection of the test end.
bool let_go_of(const ScriptedUpstream& server) {
  for (int i = 0; i < 200 && (server.accepted() == 0 || server.open() > 0); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  return server.open() == 0;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

class Proxy : public ::testing::Test {
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

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\n\r\nok";

void answer_ok(Peer& peer) {
  while (!peer.read_head().empty() && peer.send(ok)) {
  }
}

TEST_F(Proxy, passes_a_request_on_and_its_whole_answer_back_at_once) {
  std::string head;
  ScriptedUpstream server([&head](Peer& peer) {
    head = peer.read_head();
    peer.send(ok);
    peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.code, 200);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_EQ(call.response.sends, 1);
  EXPECT_THAT(
      head, HasSubstr("GET /base/a?b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  EXPECT_THAT(call.response.fields, HasSubstr("X-Up: 1\n"));
  EXPECT_THAT(call.response.fields, HasSubstr("X-Upstream-Status: 200\n"));
  EXPECT_THAT(call.response.fields,
              HasSubstr("X-Upstream-Url: http://127.0.0.1:" + std::to_string(server.port()) + "/base/a?b\n"));
  EXPECT_EQ(call.watch.started, 0);
  EXPECT_EQ(call.context.upstream.connects, 1);
  EXPECT_EQ(call.context.upstream.status, 200);
  EXPECT_EQ(upstream->pool.idle(), 1u);
}

TEST_F(Proxy, uses_a_connection_again) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  for (int i = 0; i < 50; ++i) {
    Call call(loop);
    serve(call);
    EXPECT_EQ(call.response.body, "ok");
    EXPECT_EQ(call.context.upstream.reuses, i == 0 ? 0 : 1);
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(Proxy, reaches_an_upstream_over_ipv6) {
  ScriptedUpstream server(answer_ok, ScriptedUpstream::Family::v6);
  if (server.port() == 0) GTEST_SKIP() << "no IPv6 loopback";
  to(server.port(), "::1");
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
}

TEST_F(Proxy, tries_the_next_address_when_one_refuses) {
  ScriptedUpstream server(answer_ok);
  to(server.port(), "name.example");
  const std::vector<std::string> found{"127.0.0.9", "not an address", "127.0.0.1"};
  addresses.update("name.example", found);
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
}

struct Fault {
  std::string name;
  ScriptedUpstream::Script script;
  const http::Reason* reason;
};

class ProxyFault : public Proxy, public ::testing::WithParamInterface<Fault> {};

ScriptedUpstream::Script says(std::string bytes) {
  return [bytes](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
    peer.wait_for_close();
  };
}
ScriptedUpstream::Script says_and_closes(std::string bytes) {
  return [bytes](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
  };
}
ScriptedUpstream::Script says_and_resets(std::string bytes) {
  return [bytes](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
    std::this_thread::sleep_for(milliseconds(50));
    peer.reset();
  };
}

// Before the head has gone: an error answer within the limit, no descriptor and no pool entry left.
TEST_P(ProxyFault, is_answered_and_leaves_nothing) {
  ScriptedUpstream server(GetParam().script);
  to(server.port());
  run_for(milliseconds(20));
  const std::size_t before = open_descriptors();
  Call call(loop);
  serve(call);
  EXPECT_FALSE(call.response.started());
  ASSERT_NE(call.context.reason, nullptr);
  EXPECT_EQ(call.context.reason->word, GetParam().reason->word) << call.context.detail;
  EXPECT_LT(call.took, milliseconds(700));
  EXPECT_EQ(upstream->pool.idle(), 0u);
  run_for(milliseconds(20));
  EXPECT_TRUE(let_go_of(server));
  EXPECT_EQ(open_descriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ProxyFault,
    ::testing::Values(
        Fault{"silent", says(""), &reasons::upstream_timeout},
        Fault{"slow_head", says("HTTP/1.1 200 OK\r\nA: b"), &reasons::upstream_timeout},
        Fault{"closes_at_once", says_and_closes(""), &reasons::upstream_closed},
        Fault{"resets_at_once", says_and_resets(""), &reasons::upstream_closed},
        Fault{"closes_in_head", says_and_closes("HTTP/1.1 200 OK\r\nA: b"), &reasons::upstream_response},
        Fault{"garbage", says("SSH-2.0-OpenSSH\r\n"), &reasons::upstream_response},
        Fault{"two_lengths", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
              &reasons::upstream_response},
        Fault{"length_and_chunks",
              says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
              &reasons::upstream_response},
        Fault{"endless_head",
              [](Peer& peer) {
                peer.read_head();
                peer.send("HTTP/1.1 200 OK\r\n");
                while (peer.send("A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n")) {
                }
              },
              &reasons::upstream_response},
        Fault{"interim_flood",
              [](Peer& peer) {
                peer.read_head();
                while (peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
                }
              },
              &reasons::upstream_response},
        Fault{"upgrade", says("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
              &reasons::upstream_response},
        Fault{"bad_first_chunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok"),
              &reasons::upstream_response}),
    [](const auto& fault) { return fault.param.name; });

class ProxyCut : public Proxy, public ::testing::WithParamInterface<Fault> {};

// After the head has gone: the client sees its connection cut, never a message that looks whole.
TEST_P(ProxyCut, is_never_a_well_formed_answer) {
  ScriptedUpstream server(GetParam().script);
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.code, 200);
  EXPECT_TRUE(call.response.aborted);
  EXPECT_FALSE(call.response.finished);
  ASSERT_NE(call.context.reason, nullptr);
  EXPECT_EQ(call.context.reason->word, GetParam().reason->word);
  EXPECT_LT(call.took, milliseconds(900));
  EXPECT_EQ(upstream->pool.idle(), 0u);
}

const std::string long_head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
const std::string chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Faults, ProxyCut,
    ::testing::Values(Fault{"slow_body", says(long_head + "some"), &reasons::upstream_cut},
                      Fault{"closes_mid_body", says_and_closes(long_head + "some"), &reasons::upstream_cut},
                      Fault{"resets_mid_body", says_and_resets(long_head + "some"), &reasons::upstream_cut},
                      Fault{"resets_body_without_length", says_and_resets("HTTP/1.1 200 OK\r\n\r\nsome"),
                            &reasons::upstream_cut},
                      Fault{"closes_mid_chunk", says_and_closes(chunked_head + "a\r\nsome"),
                            &reasons::upstream_cut},
                      Fault{"closes_before_last_chunk", says_and_closes(chunked_head + "4\r\nsome\r\n"),
                            &reasons::upstream_cut},
                      Fault{"bad_later_chunk",
                            [](Peer& peer) {
                              peer.read_head();
                              peer.send(chunked_head + "4\r\nsome\r\n");
                              std::this_thread::sleep_for(milliseconds(50));
                              peer.send("zz\r\n");
                              peer.wait_for_close();
                            },
                            &reasons::upstream_cut}),
    [](const auto& fault) { return fault.param.name; });

TEST_F(Proxy, answers_at_once_when_nobody_listens) {
  std::uint16_t port = 0;
  {
    ScriptedUpstream closed(answer_ok);
    port = closed.port();
  }
  to(port);
  Call call(loop);
  serve(call);
  ASSERT_EQ(call.context.reason, &reasons::upstream_connect);
  EXPECT_LT(call.took, milliseconds(200));
}

TEST_F(Proxy, gives_up_connecting_to_a_black_hole_in_time) {
  // A listener whose backlog is full drops further attempts.
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  std::vector<UniqueFd> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), length);
  }
  to(ntohs(address.sin_port));
  Call call(loop);
  serve(call);
  ASSERT_EQ(call.context.reason, &reasons::upstream_timeout) << call.context.detail;
  EXPECT_LT(call.took, milliseconds(600));
}

TEST_F(Proxy, says_so_when_the_name_has_no_address) {
  to(80, "name.example");
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.context.reason, &reasons::upstream_address);
}

TEST_F(Proxy, streams_a_long_answer_in_bounded_pieces) {
  constexpr std::size_t megabytes = 64;
  ScriptedUpstream server([](Peer& peer) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(megabytes << 20) + "\r\n\r\n");
    const std::string megabyte(1 << 20, 'x');
    for (std::size_t i = 0; i < megabytes; ++i) peer.send(megabyte);
    answer_ok(peer);
  });
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_TRUE(call.response.finished);
  EXPECT_EQ(call.response.bytes, megabytes << 20);
  EXPECT_EQ(call.response.length, megabytes << 20);
  EXPECT_LE(call.response.largest_piece, 64u << 10);
  Call next(loop);
  serve(next);
  EXPECT_EQ(next.response.body, "ok");
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(Proxy, passes_chunks_and_trailers_on) {
  ScriptedUpstream server(
      says(chunked_head + "2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 3\r\nContent-Type: x\r\n\r\n"));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.body, "abc");
  EXPECT_EQ(call.response.length, std::nullopt);
  EXPECT_THAT(call.response.trailers, HasSubstr("X-Sum=3"));
  EXPECT_EQ(upstream->pool.idle(), 1u);
}

TEST_F(Proxy, sends_a_buffered_body_with_the_head_and_its_length) {
  std::string head;
  std::string body;
  ScriptedUpstream server([&](Peer& peer) {
    head = peer.read_head();
    body = peer.read_exactly(5);
    peer.send(ok);
    peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.post({"hello"}, std::nullopt);
  call.body.buffered = true;
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_THAT(head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_EQ(body, "hello");
}

TEST_F(Proxy, streams_a_body_of_known_length) {
  std::string body;
  ScriptedUpstream server([&body](Peer& peer) {
    peer.read_head();
    body = peer.read_exactly(9);
    peer.send(ok);
    peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.post({"one", "two", "six"}, 9);
  call.body.pause = milliseconds(200);  // longer together than limits.io
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_EQ(body, "onetwosix");
  EXPECT_EQ(upstream->pool.idle(), 1u);
}

TEST_F(Proxy, streams_a_body_of_unknown_length_in_chunks_with_trailers) {
  std::string body;
  ScriptedUpstream server([&body](Peer& peer) {
    peer.read_head();
    body = peer.read_exactly(29);
    peer.send(ok);
    peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.post({"one", "fourteen chars"}, std::nullopt);
  call.body.trailer_fields.add("X-T", "1");
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_THAT(body, HasSubstr("3\r\none\r\ne\r\nfourteen chars\r\n"));
}

TEST_F(Proxy, passes_an_early_answer_on_and_never_uses_that_connection_again) {
  ScriptedUpstream server([](Peer& peer) {
    peer.read_head();
    peer.read_exactly(3);
    peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.post({"one", "two", "three", "four"}, std::nullopt);
  call.body.pause = milliseconds(50);
  serve(call);
  EXPECT_EQ(call.response.code, 403);
  EXPECT_EQ(call.response.body, "no");
  EXPECT_EQ(call.context.reason, nullptr);
  EXPECT_EQ(upstream->pool.idle(), 0u);
}

TEST_F(Proxy, ends_the_upstream_request_when_the_body_fails) {
  bool closed = false;
  ScriptedUpstream server([&closed](Peer& peer) {
    peer.read_head();
    closed = peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.post({"one"}, std::nullopt);
  call.body.failure = &http::reasons::body_too_large;
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::body_too_large);
  EXPECT_TRUE(let_go_of(server));
  EXPECT_TRUE(closed);
}

TEST_F(Proxy, refuses_a_body_that_is_known_to_be_too_large_without_asking) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  Call call(loop);
  call.post({"one"}, 4u << 20);
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::body_too_large);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(Proxy, passes_interim_responses_on_but_not_100) {
  ScriptedUpstream server(
      says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_THAT(call.response.interim, ::testing::ElementsAre(103));
  EXPECT_EQ(call.response.body, "ok");
}

TEST_F(Proxy, knows_that_answers_to_head_have_no_body) {
  ScriptedUpstream server([](Peer& peer) {
    while (!peer.read_head().empty()) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  });
  to(server.port());
  for (int i = 0; i < 2; ++i) {
    Call call(loop);
    call.request.method = http::Method::head;
    call.request.method_name = "HEAD";
    serve(call);
    EXPECT_EQ(call.response.length, 1000u);
    EXPECT_TRUE(call.response.finished);
    EXPECT_EQ(call.response.body, "");
  }
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(Proxy, never_uses_a_connection_again_that_said_too_much) {
  for (const std::string& answer :
       {ok + "HTTP/1.1 200 OK\r\n",
        std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        std::string("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok")}) {
    ScriptedUpstream server(says(answer));
    to(server.port());
    Call call(loop);
    serve(call);
    EXPECT_TRUE(call.response.finished) << answer;
    EXPECT_EQ(upstream->pool.idle(), 0u) << answer;
  }
}

TEST_F(Proxy, drops_an_idle_connection_when_anything_happens_on_it) {
  for (const std::string& later :
       {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")}) {
    ScriptedUpstream server([&later](Peer& peer) {
      peer.read_head();
      peer.send(ok);
      std::this_thread::sleep_for(milliseconds(50));
      if (!later.empty()) {
        peer.send(later);
        peer.wait_for_close();
      }
    });
    to(server.port());
    Call call(loop);
    serve(call);
    EXPECT_EQ(upstream->pool.idle(), 1u);
    run_for(milliseconds(150));
    EXPECT_EQ(upstream->pool.idle(), 0u);
  }
}

// The first connection dies unnoticed between two requests: the loop does not run while it happens.
class StaleConnection : public Proxy {
 protected:
  void use_once_and_let_it_die() {
    to(server.port());
    Call first(loop);
    serve(first);
    EXPECT_TRUE(let_go_of(server));
  }
  ScriptedUpstream server{[](Peer& peer) {
    peer.read_head();
    peer.send(ok);
    if (peer.number == 0) {
      std::this_thread::sleep_for(milliseconds(100));
    } else {
      answer_ok(peer);
    }
  }};
};

TEST_F(StaleConnection, is_replaced_once_for_a_request_that_may_be_repeated) {
  use_once_and_let_it_die();
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_EQ(call.context.upstream.retries, 1);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(StaleConnection, is_found_out_before_a_request_that_may_not) {
  use_once_and_let_it_die();
  Call call(loop);
  call.post({}, 0);
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_EQ(call.context.upstream.retries, 0);
  EXPECT_EQ(call.context.upstream.reuses, 0);
}

TEST_F(Proxy, does_not_repeat_a_request_on_a_fresh_connection) {
  ScriptedUpstream server(says_and_closes(""));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.context.reason, &reasons::upstream_closed);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(Proxy, watches_the_client_only_once_the_upstream_is_slow) {
  ScriptedUpstream server(says(""));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.watch.started, 1);
  EXPECT_EQ(call.watch.stopped, 1);
}

TEST_F(Proxy, lets_go_of_the_upstream_when_it_is_cancelled) {
  bool closed = false;
  ScriptedUpstream server([&closed](Peer& peer) {
    peer.read_head();
    closed = peer.wait_for_close();
  });
  to(server.port());
  Call call(loop);
  call.route.limits.io = milliseconds(5000);
  SteadyTimer timer(loop, milliseconds(100));
  timer.async_wait([&call](const error_code&) { call.cancellation.cancel(http::reasons::client_gone); });
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::client_gone);
  EXPECT_LT(call.took, milliseconds(1000));
  EXPECT_TRUE(let_go_of(server));
  EXPECT_TRUE(closed);
}

TEST_F(Proxy, does_nothing_for_an_exchange_that_is_cancelled_already) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  Call call(loop);
  call.cancellation.cancel(http::reasons::client_gone);
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::client_gone);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(Proxy, stops_reading_when_the_client_is_gone) {
  ScriptedUpstream server([](Peer& peer) {
    peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    const std::string megabyte(1 << 20, 'x');
    while (peer.send(megabyte)) {
    }
  });
  to(server.port());
  Call call(loop);
  call.response.gone = true;
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::client_gone);
  EXPECT_EQ(upstream->pool.idle(), 0u);
}

TEST_F(Proxy, bounds_the_answer_when_asked_to) {
  ScriptedUpstream declared(says(long_head));
  to(declared.port());
  Call call(loop);
  call.route.limits.response_bytes = 99;
  serve(call);
  EXPECT_EQ(call.context.reason, &reasons::upstream_too_large);
  EXPECT_FALSE(call.response.started());

  ScriptedUpstream undeclared([](Peer& peer) {
    peer.read_head();
    peer.send(chunked_head + "32\r\n" + std::string(50, 'x') + "\r\n");
    std::this_thread::sleep_for(milliseconds(50));
    peer.send("32\r\n" + std::string(50, 'x') + "\r\n0\r\n\r\n");
    peer.wait_for_close();
  });
  to(undeclared.port());
  Call second(loop);
  second.route.limits.response_bytes = 99;
  serve(second);
  EXPECT_EQ(second.context.reason, &reasons::upstream_too_large);
  EXPECT_TRUE(second.response.aborted);
}

TEST_F(Proxy, closes_idle_connections_when_the_address_changes) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(upstream->pool.idle(), 1u);
  addresses.update("127.0.0.1", std::vector<std::string>{"127.0.0.2"});
  EXPECT_EQ(upstream->pool.idle(), 0u);
}

}  // namespace
}  // namespace tollgate::gateway
