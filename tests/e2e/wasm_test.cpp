// Guests of every language behind routes: bodies in, answers out, the same work as the native handlers.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/scripted_upstream.hpp"

namespace tollgate::testing {
namespace {

using namespace std::chrono_literals;
const std::string stdio = "abi = \"stdio\"\n";

class Language : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Wasm, Language, ::testing::Values("c", "cpp", "rust"));

TEST_P(Language, the_studys_guest_prepends_wasm_to_bodies_of_any_size_and_framing) {
  if (GetParam() == "rust" && !rust_guests_are_built()) GTEST_SKIP() << no_rust_guests;
  const auto gateway = GatewayProcess::with_config(
      one_worker + wasm_route("/g", "gateway_wasm_" + GetParam(), stdio + "limits = { body = \"2MiB\" }"));
  EXPECT_EQ(get(gateway.port(), "/g").body, "wasm:");
  for (const std::size_t bytes :
       {std::size_t{5}, std::size_t{32763}, std::size_t{32768}, std::size_t{1} << 20}) {
    const std::string body(bytes, 'b');
    const Response response = request(gateway.port(), "POST", "/g", body);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "wasm:" + body) << bytes;
  }
  Connection connection(gateway.port());
  connection.send("POST /g HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  connection.send("2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(connection.read_response().body, "wasm:abcde");
}

TEST(Wasm, serves_one_module_without_a_configuration) {
  const auto gateway = GatewayProcess::with_arguments(
      {.arguments = {guest("echo_c"), "--abi", "stdio", "--listen", "127.0.0.1:0", "--workers", "1"}});
  EXPECT_EQ(request(gateway.port(), "PUT", "/any/path", "as sent").body, "as sent");
}

TEST(Wasm, computes_the_same_chain_in_guests_as_natively) {
  if (!rust_guests_are_built()) GTEST_SKIP() << no_rust_guests;
  const auto gateway =
      GatewayProcess::with_config(one_worker + "[[route]]\npath = \"/native\"\nnative = \"compute\"\n" +
                                  wasm_route("/c", "compute_c") + wasm_route("/rust", "compute_rust"));
  for (const char* query : {"?iters=0", "?iters=1", "?iters=1000", ""}) {
    const std::string native = get(gateway.port(), std::string("/native") + query).body;
    EXPECT_EQ(native.size(), 64u);
    EXPECT_EQ(get(gateway.port(), std::string("/c") + query).body, native) << query;
    EXPECT_EQ(get(gateway.port(), std::string("/rust") + query).body, native) << query;
  }
  EXPECT_EQ(get(gateway.port(), "/c?iters=x").status, 400);
  EXPECT_EQ(get(gateway.port(), "/rust?iters=x").status, 400);
}

TEST(Wasm, transforms_json_in_guests_as_natively) {
  if (!rust_guests_are_built()) GTEST_SKIP() << no_rust_guests;
  const auto gateway = GatewayProcess::with_config(
      one_worker + "[[route]]\npath = \"/native\"\nnative = \"json\"\n" +
      wasm_route("/cpp", "json_transform_cpp", stdio) + wasm_route("/rust", "json_transform_rust", stdio));
  std::string large = R"({"list":[)";
  for (int i = 0; i < 4000; ++i)
    large += (i > 0 ? "," : "") + std::string(R"({"id":)") + std::to_string(i) + R"(,"ok":true})";
  large += "]}";
  for (const std::string& document :
       {std::string("{}"), std::string(R"({"a":[1,null,{"b":"c"}],"count":3})"), large}) {
    const Response native = request(gateway.port(), "POST", "/native", document);
    EXPECT_EQ(native.status, 200);
    EXPECT_EQ(request(gateway.port(), "POST", "/cpp", document).body, native.body);
    EXPECT_EQ(request(gateway.port(), "POST", "/rust", document).body, native.body);
  }
  const Response refused = request(gateway.port(), "POST", "/cpp", "[]");
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.field("x-tollgate-error"), "exit");
}

TEST(Wasm, refuses_a_body_above_the_routes_limit) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + wasm_route("/g", "echo_c", stdio + "limits = { body = \"10\" }"));
  EXPECT_EQ(request(gateway.port(), "POST", "/g", "0123456789").body, "0123456789");
  const Response refused = request(gateway.port(), "POST", "/g", "0123456789a");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.field("x-tollgate-error"), "body");
}

TEST(Wasm, answers_head_with_the_head_alone) {
  const auto gateway = GatewayProcess::with_config(one_worker + wasm_route("/g", "gateway_wasm_c", stdio));
  Connection connection(gateway.port());
  connection.send("HEAD /g HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response(Connection::Body::none).status, 200);
  connection.send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response().body, "wasm:");
}

TEST(Wasm, a_slow_upload_that_makes_progress_is_not_ended_by_the_deadline) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + wasm_route("/echo", "echo_c", "abi = \"stdio\"\nlimits = { deadline = \"300ms\" }"));
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
  Connection steady(gateway.port());
  steady.send(head);
  for (const char* piece : {"a", "b", "c", "d", "e", "f"}) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    steady.send(piece);
  }
  const Response echoed = steady.read_response();
  EXPECT_EQ(echoed.status, 200);
  EXPECT_EQ(echoed.body, "abcdef");
}

// The body's own timeout would be 10 s.
TEST(Wasm, a_stalled_upload_is_ended_by_the_deadline_whatever_serves_the_route) {
  ScriptedUpstream upstream(once(""));
  const std::string limits = "limits = { deadline = \"300ms\", io = \"9s\" }\n";
  const auto gateway = GatewayProcess::with_config(
      one_worker + wasm_route("/guest", "echo_c", "abi = \"stdio\"\n" + limits) +
      "[[route]]\npath = \"/program\"\nspawn = [\"cat\"]\nabi = \"stdio\"\n" + limits +
      "[[route]]\npath = \"/proxy\"\nupstream = \"http://127.0.0.1:" + std::to_string(upstream.port()) +
      "\"\n" + limits);
  for (const char* const path : {"/guest", "/program", "/proxy"}) {
    Connection connection(gateway.port());
    const auto begun = std::chrono::steady_clock::now();
    connection.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    const Response response = connection.read_response();
    EXPECT_EQ(response.status, 504) << path;
    EXPECT_EQ(response.field("x-tollgate-error"), "deadline") << path;
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 300ms) << path;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << path;
    EXPECT_TRUE(connection.closed_by_peer()) << path;
  }
}

TEST(Wasm, a_sleeping_guest_holds_nobody) {
  const auto gateway = GatewayProcess::with_config(one_worker + wasm_route("/sleep", "sleeper_c") +
                                                   wasm_route("/ok", "echo_c", stdio));
  constexpr int sleepers = 100;
  std::vector<Connection> connections;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < sleepers; ++i) {
    connections.emplace_back(gateway.port());
    connections.back().send("GET /sleep?ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  const auto asked = std::chrono::steady_clock::now();
  EXPECT_EQ(request(gateway.port(), "POST", "/ok", "x").body, "x");
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 900ms);
  for (Connection& connection : connections) EXPECT_EQ(connection.read_response().body, "slept 1000 ms\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1000ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s);  // one after the other would be 100 s
}

}  // namespace
}  // namespace tollgate::testing
