// Upstreams that are closed, slow, silent, cut off or say too much, and clients that go away meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gateway/reasons.hpp"
#include "gateway/testing/proxy_fixture.hpp"

namespace tollgate::gateway {
namespace {

using namespace testing;  // of gateway/testing/proxy_fixture.hpp
using ::testing::HasSubstr;

class ProxyFaults : public ProxyFixture {};

struct Fault {
  std::string name;
  ScriptedUpstream::Script script;
  const http::Reason* reason;
};

class ProxyFault : public ProxyFaults, public ::testing::WithParamInterface<Fault> {};

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
        Fault{"silent", once(""), &reasons::upstream_timeout},
        Fault{"slow_head", once("HTTP/1.1 200 OK\r\nA: b"), &reasons::upstream_timeout},
        Fault{"closes_at_once", once_then_close(""), &reasons::upstream_closed},
        Fault{"resets_at_once", once_then_reset(""), &reasons::upstream_closed},
        Fault{"closes_in_head", once_then_close("HTTP/1.1 200 OK\r\nA: b"), &reasons::upstream_response},
        Fault{"garbage", once("SSH-2.0-OpenSSH\r\n"), &reasons::upstream_response},
        Fault{"two_lengths", once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
              &reasons::upstream_response},
        Fault{"length_and_chunks",
              once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
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
        Fault{"upgrade", once("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
              &reasons::upstream_response},
        Fault{"bad_first_chunk", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok"),
              &reasons::upstream_response}),
    [](const auto& fault) { return fault.param.name; });

class ProxyCut : public ProxyFaults, public ::testing::WithParamInterface<Fault> {};

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

INSTANTIATE_TEST_SUITE_P(
    Faults, ProxyCut,
    ::testing::Values(Fault{"slow_body", once(long_head + "some"), &reasons::upstream_cut},
                      Fault{"closes_mid_body", once_then_close(long_head + "some"), &reasons::upstream_cut},
                      Fault{"resets_mid_body", once_then_reset(long_head + "some"), &reasons::upstream_cut},
                      Fault{"resets_body_without_length", once_then_reset("HTTP/1.1 200 OK\r\n\r\nsome"),
                            &reasons::upstream_cut},
                      Fault{"closes_mid_chunk", once_then_close(chunked_head + "a\r\nsome"),
                            &reasons::upstream_cut},
                      Fault{"closes_before_last_chunk", once_then_close(chunked_head + "4\r\nsome\r\n"),
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

TEST_F(ProxyFaults, answers_at_once_when_nobody_listens) {
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

TEST_F(ProxyFaults, gives_up_connecting_to_a_black_hole_in_time) {
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
    const int begun = ::connect(fillers.back().get(), reinterpret_cast<sockaddr*>(&address), length);
    ASSERT_TRUE(begun == 0 || errno == EINPROGRESS);
  }
  to(ntohs(address.sin_port));
  Call call(loop);
  serve(call);
  ASSERT_EQ(call.context.reason, &reasons::upstream_timeout) << call.context.detail;
  EXPECT_EQ(call.context.detail, "connecting");
  EXPECT_LT(call.took, milliseconds(600));
}

TEST_F(ProxyFaults, says_so_when_the_name_has_no_address) {
  to(80, "name.example");
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.context.reason, &reasons::upstream_address);
}

TEST_F(ProxyFaults, ends_the_upstream_request_when_the_body_fails) {
  Received received;
  ScriptedUpstream server(never_answers(received));
  to(server.port());
  Call call(loop);
  call.post({"one"}, std::nullopt);
  call.body.failure = &http::reasons::body_too_large;
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::body_too_large);
  EXPECT_EQ(call.context.detail, "") << "what that did to the connection is no detail of it";
  EXPECT_TRUE(let_go_of(server));
  EXPECT_TRUE(received.closed);
}

TEST_F(ProxyFaults, refuses_a_body_that_is_known_to_be_too_large_without_asking) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  Call call(loop);
  call.post({"one"}, 4u << 20);
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::body_too_large);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(ProxyFaults, never_uses_a_connection_again_that_said_too_much) {
  for (const std::string& answer :
       {ok + "HTTP/1.1 200 OK\r\n",
        std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        std::string("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok")}) {
    ScriptedUpstream server(once(answer));
    to(server.port());
    Call call(loop);
    serve(call);
    EXPECT_TRUE(call.response.finished) << answer;
    EXPECT_EQ(upstream->pool.idle(), 0u) << answer;
  }
}

TEST_F(ProxyFaults, drops_an_idle_connection_when_anything_happens_on_it) {
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
    for (int i = 0; i < 100 && upstream->pool.idle() > 0; ++i) run_for(milliseconds(20));
    EXPECT_EQ(upstream->pool.idle(), 0u);
  }
}

TEST_F(ProxyFaults, does_not_repeat_a_request_on_a_fresh_connection) {
  ScriptedUpstream server(once_then_close(""));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.context.reason, &reasons::upstream_closed);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(ProxyFaults, lets_go_of_the_upstream_when_it_is_cancelled) {
  Received received;
  ScriptedUpstream server(never_answers(received));
  to(server.port());
  Call call(loop);
  call.route.limits.io = milliseconds(5000);
  SteadyTimer timer(loop, milliseconds(100));
  timer.async_wait([&call](const error_code&) { call.cancellation.cancel(http::reasons::client_gone); });
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::client_gone);
  EXPECT_LT(call.took, milliseconds(1000));
  EXPECT_TRUE(let_go_of(server));
  EXPECT_TRUE(received.closed);
}

TEST_F(ProxyFaults, does_nothing_for_an_exchange_that_is_cancelled_already) {
  ScriptedUpstream server(answer_ok);
  to(server.port());
  Call call(loop);
  call.cancellation.cancel(http::reasons::client_gone);
  serve(call);
  EXPECT_EQ(call.context.reason, &http::reasons::client_gone);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(ProxyFaults, stops_reading_when_the_client_is_gone) {
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

TEST_F(ProxyFaults, bounds_the_answer_when_asked_to) {
  ScriptedUpstream declared(once(long_head));
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

}  // namespace
}  // namespace tollgate::gateway
