#include "gateway/backends/upstream/upstream_backend.hpp"

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

class Proxy : public ProxyFixture {};

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

TEST_F(Proxy, watches_the_client_only_once_the_upstream_is_slow) {
  ScriptedUpstream server(once(""));
  to(server.port());
  Call call(loop);
  serve(call);
  EXPECT_EQ(call.watch.started, 1);
  EXPECT_EQ(call.watch.stopped, 1);
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

}  // namespace
}  // namespace tollgate::gateway
