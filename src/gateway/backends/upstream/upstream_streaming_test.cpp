// Bodies through the reverse proxy, both ways: pieces, lengths, chunks, trailers, early and interim answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/reasons.hpp"
#include "gateway/testing/proxy_fixture.hpp"

namespace tollgate::gateway {
namespace {

using namespace testing;  // of gateway/testing/proxy_fixture.hpp
using ::testing::HasSubstr;

class ProxyStreaming : public ProxyFixture {};

TEST_F(ProxyStreaming, streams_a_long_answer_in_bounded_pieces) {
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

TEST_F(ProxyStreaming, passes_chunks_and_trailers_on) {
  ScriptedUpstream server(
      once(chunked_head + "2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 3\r\nContent-Type: x\r\n\r\n"));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.response.body, "abc");
  EXPECT_EQ(call.response.length, std::nullopt);
  EXPECT_THAT(call.response.trailers, HasSubstr("X-Sum=3"));
  EXPECT_EQ(upstream->pool.idle(), 1u);
}

TEST_F(ProxyStreaming, sends_a_buffered_body_with_the_head_and_its_length) {
  Received received;
  ScriptedUpstream server(takes_body_and_answers_ok(5, received));
  to(server.port());
  Call call(loop);
  call.post({"hello"}, std::nullopt);
  call.body.buffered = true;
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_THAT(received.head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_EQ(received.body, "hello");
}

TEST_F(ProxyStreaming, streams_a_body_of_known_length) {
  Received received;
  ScriptedUpstream server(takes_body_and_answers_ok(9, received));
  to(server.port());
  Call call(loop);
  call.post({"one", "two", "six"}, 9);
  call.route.limits.io = milliseconds(500);
  call.body.pause = milliseconds(250);  // longer together than that
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_EQ(received.body, "onetwosix");
  EXPECT_EQ(upstream->pool.idle(), 1u);
}

TEST_F(ProxyStreaming, streams_a_body_of_unknown_length_in_chunks_with_trailers) {
  Received received;
  ScriptedUpstream server(takes_body_and_answers_ok(29, received));
  to(server.port());
  Call call(loop);
  call.post({"one", "fourteen chars"}, std::nullopt);
  call.body.trailer_fields.add("X-T", "1");
  serve(call);
  EXPECT_EQ(call.response.body, "ok");
  EXPECT_THAT(received.body, HasSubstr("3\r\none\r\ne\r\nfourteen chars\r\n"));
}

TEST_F(ProxyStreaming, passes_an_early_answer_on_and_never_uses_that_connection_again) {
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

TEST_F(ProxyStreaming, passes_interim_responses_on_but_not_100) {
  ScriptedUpstream server(
      once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_THAT(call.response.interim, ::testing::ElementsAre(103));
  EXPECT_EQ(call.response.body, "ok");
}

TEST_F(ProxyStreaming, knows_that_answers_to_head_have_no_body) {
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

}  // namespace
}  // namespace tollgate::gateway
