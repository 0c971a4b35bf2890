// Responses through a guest: of native handlers, fixed answers and upstreams.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/scripted_upstream.hpp"

namespace tollgate::testing {
namespace {

std::string transformed(const std::string& path, const std::string& what, const std::string& name) {
  return "[[route]]\npath = \"" + path + "\"\n" + what + "\ntransform = \"" + guest(name) + "\"\n";
}

TEST(Transform, prepends_wasm_to_what_native_handlers_and_fixed_answers_say) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + transformed("/hello", "native = \"hello\"", "gateway_wasm_c") +
      transformed("/state", "native = \"state\"", "gateway_wasm_c") +
      transformed("/compute", "native = \"compute\"", "gateway_wasm_cpp") +
      transformed("/teapot", "respond = { status = 418, body = \"short\" }", "gateway_wasm_c") +
      "[[route]]\npath = \"/health\"\nnative = \"health\"\n");
  EXPECT_EQ(get(gateway.port(), "/hello").body, "wasm:hello");
  EXPECT_EQ(get(gateway.port(), "/state").body, "wasm:0");
  EXPECT_EQ(get(gateway.port(), "/state").body, "wasm:1");
  EXPECT_EQ(get(gateway.port(), "/compute?iters=0").body, "wasm:" + std::string(64, '0'));
  const Response teapot = get(gateway.port(), "/teapot");
  EXPECT_EQ(teapot.status, 418);
  EXPECT_EQ(teapot.body, "wasm:short");
  EXPECT_EQ(get(gateway.port(), "/health").body, "OK");
}

TEST(Transform, sends_an_upstreams_status_and_fields_with_another_body) {
  ScriptedUpstream upstream([](Peer& peer) {
    while (!peer.read_head().empty()) {
      peer.send("HTTP/1.1 404 Not Found\r\nX-Own: yes\r\nETag: \"a\"\r\nContent-Length: 4\r\n\r\ngone");
    }
  });
  const auto gateway = GatewayProcess::with_config(
      one_worker + transformed("/*",
                               "upstream = \"http://127.0.0.1:" + std::to_string(upstream.port()) + "\"",
                               "gateway_wasm_c"));
  const Response response = get(gateway.port(), "/x");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "wasm:gone");
  EXPECT_EQ(response.field("x-own"), "yes");
  EXPECT_EQ(response.field("etag"), std::nullopt);
  EXPECT_EQ(response.field("content-length"), "9");
}

TEST(Transform, fails_with_the_guests_reason_and_not_with_the_untransformed_body) {
  const auto gateway =
      GatewayProcess::with_config(one_worker + transformed("/trap", "native = \"hello\"", "bad/unreachable") +
                                  transformed("/flood", "native = \"hello\"", "bad/output_flood"));
  const Response trapped = get(gateway.port(), "/trap");
  EXPECT_EQ(trapped.status, 500);
  EXPECT_EQ(trapped.field("x-tollgate-error"), "trap");
  EXPECT_EQ(get(gateway.port(), "/flood").field("x-tollgate-error"), "output");
}

TEST(Transform, touches_no_guest_for_head) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + transformed("/hello", "native = \"hello\"", "bad/unreachable"));
  Connection connection(gateway.port());
  connection.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response(Connection::Body::none).status, 200);
}

}  // namespace
}  // namespace tollgate::testing
