// The reverse proxy of the real binary, in front of upstreams that behave well and badly.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/proxy.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

TEST(ReverseProxy, rewrites_what_the_study_rewrites_and_keeps_the_connection) {
  std::string head;
  ScriptedUpstream upstream([&head](Peer& peer) {
    for (std::string next; !(next = peer.read_head()).empty(); peer.send(ok)) head = next;
  });
  const auto gateway = in_front_of(upstream.port());
  for (int i = 0; i < 20; ++i) {
    const Response response = get(gateway.port(), "/any/path?q=1",
                                  {{"X-Forwarded-For", "forged"}, {"Connection", "X-A"}, {"X-A", "b"}});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "ok");
    EXPECT_EQ(response.field("x-gateway-workload"), "proxy");
    EXPECT_EQ(response.field("x-upstream-status"), "200");
    EXPECT_EQ(response.field("x-upstream-url"),
              fmt::format("http://127.0.0.1:{}/base/any/path?q=1", upstream.port()));
  }
  EXPECT_EQ(upstream.accepted(), 1);
  EXPECT_THAT(head, HasSubstr("GET /base/any/path?q=1 HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr(fmt::format("Host: 127.0.0.1:{}\r\n", upstream.port())));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-For: 127.0.0.1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("forged")));
  EXPECT_THAT(head, Not(HasSubstr("X-A")));
}

TEST(ReverseProxy, knows_names_of_the_hosts_file) {
  ScriptedUpstream upstream(always(ok));
  const auto gateway = in_front_of(upstream.port(), R"(io = "2s")", "localhost");
  EXPECT_EQ(get(gateway.port(), "/").body, "ok");
}

TEST(ReverseProxy, reaches_ipv6) {
  ScriptedUpstream upstream(always(ok), ScriptedUpstream::Family::v6);
  if (upstream.port() == 0) GTEST_SKIP() << "no IPv6 loopback";
  const auto gateway = in_front_of(upstream.port(), R"(io = "2s")", "[::1]");
  EXPECT_EQ(get(gateway.port(), "/").body, "ok");
}

struct Fault {
  std::string name;
  ScriptedUpstream::Script script;
  int status;
  std::string word;
};

class ProxyFault : public ::testing::TestWithParam<Fault> {};

// Five times, so that a descriptor or a pool entry left behind would show; the client's connection goes on.
TEST_P(ProxyFault, is_an_error_answer_within_its_limit_and_leaves_nothing) {
  ScriptedUpstream upstream(GetParam().script);
  const auto gateway = in_front_of(upstream.port());
  const pid_t worker = gateway.worker_pids().at(0);
  Connection connection(gateway.port());
  std::size_t descriptors = 0;
  for (int i = 0; i < 5; ++i) {
    const auto begun = Clock::now();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const Response response = connection.read_response();
    EXPECT_EQ(response.status, GetParam().status);
    EXPECT_EQ(response.field("x-tollgate-error"), GetParam().word);
    EXPECT_LT(Clock::now() - begun, milliseconds(1500));
    EXPECT_TRUE(let_go_of(upstream));
    if (i == 0) descriptors = figures_of(worker).descriptors;
  }
  EXPECT_EQ(figures_of(worker).descriptors, descriptors);
  EXPECT_EQ(upstream.accepted(), 5);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ProxyFault,
    ::testing::Values(
        Fault{"silent", once(""), 504, "upstream_timeout"},
        Fault{"slow_head", once("HTTP/1.1 200 OK\r\nA:"), 504, "upstream_timeout"},
        Fault{"closes", once_then_close(""), 502, "upstream_closed"},
        Fault{"resets", once_then_reset(""), 502, "upstream_closed"},
        Fault{"closes_in_head", once_then_close("HTTP/1.1 200 OK\r\nA:"), 502, "upstream_response"},
        Fault{"garbage", once("220 smtp.example ESMTP\r\n"), 502, "upstream_response"},
        Fault{"two_lengths", once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"), 502,
              "upstream_response"},
        Fault{"endless_head",
              [](Peer& peer) {
                peer.read_head();
                peer.send("HTTP/1.1 200 OK\r\n");
                while (peer.send("A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n")) {
                }
              },
              502, "upstream_response"},
        Fault{"interim_flood",
              [](Peer& peer) {
                peer.read_head();
                while (peer.send("HTTP/1.1 102 Processing\r\n\r\n")) {
                }
              },
              502, "upstream_response"}),
    [](const auto& fault) { return fault.param.name; });

class ProxyCut : public ::testing::TestWithParam<Fault> {};

// The head has gone: the client must be able to tell that the body is not whole.
TEST_P(ProxyCut, is_never_a_well_formed_answer) {
  ScriptedUpstream upstream(GetParam().script);
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THROW(connection.read_response(), std::runtime_error);
  EXPECT_TRUE(let_go_of(upstream));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ProxyCut,
    ::testing::Values(
        Fault{"resets_mid_body", once_then_reset("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"), 0, ""},
        Fault{"closes_mid_body", once_then_close("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"), 0, ""},
        Fault{"stalls_mid_body", once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"), 0, ""},
        Fault{"truncated_chunk", once_then_close(chunked + "9\r\nsome"), 0, ""},
        Fault{"no_last_chunk", once_then_close(chunked + "4\r\nsome\r\n"), 0, ""},
        Fault{"resets_body_without_length", once_then_reset("HTTP/1.0 200 OK\r\n\r\nsome"), 0, ""}),
    [](const auto& fault) { return fault.param.name; });

// HTTP/1.0 has no chunks: the end of the connection ends the body, and only a reset says that it came too
// early.
TEST(ReverseProxy, resets_a_client_that_could_not_tell_a_cut_from_the_end) {
  ScriptedUpstream upstream(once_then_close(chunked + "4\r\nsome\r\n"));
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  char bytes[4096];
  ssize_t got = 0;
  while ((got = ::recv(connection.fd(), bytes, sizeof bytes, 0)) > 0) {
  }
  EXPECT_EQ(got, -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(ReverseProxy, says_at_once_that_nobody_listens) {
  std::uint16_t port = 0;
  {
    ScriptedUpstream closed(always(ok));
    port = closed.port();
  }
  const auto gateway = in_front_of(port);
  const Response response = get(gateway.port(), "/");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.field("x-tollgate-error"), "upstream_connect");
}

TEST(ReverseProxy, ends_at_the_deadline_of_the_route) {
  ScriptedUpstream upstream(once(""));
  const auto gateway = in_front_of(upstream.port(), R"(deadline = "200ms", io = "5s")");
  const auto begun = Clock::now();
  const Response response = get(gateway.port(), "/");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.field("x-tollgate-error"), "deadline");
  EXPECT_LT(Clock::now() - begun, milliseconds(1000));
  EXPECT_TRUE(let_go_of(upstream));
}

TEST(ReverseProxy, ends_the_upstream_request_of_a_client_that_goes_away) {
  std::atomic<bool> asked = false;
  ScriptedUpstream upstream([&asked](Peer& peer) {
    peer.read_head();
    asked = true;
    peer.wait_for_close();
  });
  const auto gateway = in_front_of(upstream.port(), R"(deadline = "30s", io = "30s")");
  {
    Connection connection(gateway.port());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return asked.load(); }));
  }
  EXPECT_TRUE(let_go_of(upstream));
}

TEST(ReverseProxy, answers_pipelined_requests_in_order) {
  ScriptedUpstream upstream([](Peer& peer) {
    for (std::string head; !(head = peer.read_head()).empty();) {
      const std::string name = head.substr(10, 2);
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + name);
    }
  });
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  std::string requests;
  for (int i = 10; i < 40; ++i) requests += fmt::format("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", i);
  connection.send(requests);
  for (int i = 10; i < 40; ++i) EXPECT_EQ(connection.read_response().body, std::to_string(i));
}

TEST(ReverseProxy, knows_answers_without_a_body) {
  ScriptedUpstream upstream([](Peer& peer) {
    for (std::string head; !(head = peer.read_head()).empty();) {
      if (head.starts_with("HEAD")) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
      if (head.starts_with("GET /base/204")) peer.send("HTTP/1.1 204 No Content\r\n\r\n");
      if (head.starts_with("GET /base/304"))
        peer.send("HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\nContent-Length: 77\r\n\r\n");
    }
  });
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response(Connection::Body::none).field("content-length"), "77");
  connection.send("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response(Connection::Body::none).status, 204);
  connection.send("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response(Connection::Body::none).field("etag"), "\"e\"");
  EXPECT_EQ(upstream.accepted(), 1);
}

TEST(ReverseProxy, bounds_the_answer_when_the_route_does) {
  ScriptedUpstream upstream(always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"));
  const auto at = in_front_of(upstream.port(), R"(response = 5)");
  EXPECT_EQ(get(at.port(), "/").body, "abcde");
  const auto above = in_front_of(upstream.port(), R"(response = 4)");
  const Response response = get(above.port(), "/");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.field("x-tollgate-error"), "upstream_too_large");
}

TEST(ReverseProxy, loses_no_request_to_connections_that_the_upstream_closes_when_idle) {
  ScriptedUpstream upstream([](Peer& peer) {  // two answers, then the connection dies
    for (int i = 0; i < 2 && !peer.read_head().empty(); ++i) peer.send(ok);
  });
  const auto gateway = in_front_of(upstream.port());
  for (int i = 0; i < 200; ++i) {
    const Response response =
        i % 2 == 0 ? get(gateway.port(), "/") : request(gateway.port(), "POST", "/", "");
    ASSERT_EQ(response.status, 200) << "request " << i << ": " << response.body;
  }
}

}  // namespace
}  // namespace tollgate::testing
