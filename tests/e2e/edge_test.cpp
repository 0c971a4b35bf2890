// The edge as the real binary has it: strictness after a good request, 100-continue, limits.
// The whole tables, at every split point, are http_test's.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

const std::string echo =
    "listen = \"127.0.0.1:0\"\nworkers = 1\n[[route]]\npath = \"/*\"\nnative = \"echo\"\nlimits = { body = \"8B\" }\n";
const std::string good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Hostile {
  const char* request;
  int status;
};

class Strictness : public ::testing::TestWithParam<Hostile> {};
INSTANTIATE_TEST_SUITE_P(
    Edge, Strictness,
    ::testing::Values(Hostile{"GET / HTTP/1.1\r\n\r\n", 400}, Hostile{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
                      Hostile{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Hostile{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
                      Hostile{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
                      Hostile{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
                      Hostile{"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400},
                      Hostile{"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400}));

TEST_P(Strictness, refuses_behind_a_good_request_and_closes) {
  const auto gateway = GatewayProcess::with_config(echo);
  Connection connection(gateway.port());
  connection.send(good + GetParam().request + good);
  EXPECT_EQ(connection.read_response().status, 200);
  const Response refused = connection.read_response();
  EXPECT_EQ(refused.status, GetParam().status);
  EXPECT_TRUE(refused.field("x-tollgate-error"));
  EXPECT_EQ(connection.read_to_end(), "");
}

TEST(Edge, asks_for_a_body_the_client_holds_back) {
  const auto gateway = GatewayProcess::with_config(echo);
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(connection.read_exactly(25), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("body");
  EXPECT_EQ(connection.read_response().body, "echo: body");
}

TEST(Edge, bounds_bodies_targets_and_heads) {
  const auto gateway = GatewayProcess::with_config(echo);
  EXPECT_EQ(request(gateway.port(), "POST", "/", "12345678").status, 200);
  EXPECT_EQ(request(gateway.port(), "POST", "/", "123456789").status, 413);
  EXPECT_EQ(get(gateway.port(), "/" + std::string(9000, 'a')).status, 414);
  EXPECT_EQ(get(gateway.port(), "/", {{"X-Long", std::string(70'000, 'a')}}).status, 431);
}

}  // namespace
}  // namespace tollgate::testing
