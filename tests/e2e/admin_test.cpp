#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

GatewayProcess serve() {
  return GatewayProcess::with_config(R"(
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
workers = 1
[[route]]
path = "/hello"
native = "hello"
limits = { deadline = "700ms" }
)");
}

TEST(AdminAddress, describes_the_routes) {
  const GatewayProcess gateway = serve();
  const Response response = get(gateway.admin_port(), "/routes");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.field("content-type"), "application/json");
  const auto routes = nlohmann::json::parse(response.body);
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0]["route"], "/hello");
  EXPECT_EQ(routes[0]["backend"]["kind"], "native");
  EXPECT_EQ(routes[0]["limits"]["deadline_ms"], 700);
  EXPECT_EQ(routes[0]["quarantined"], false);
}

TEST(AdminAddress, says_that_it_lives_and_is_ready) {
  const GatewayProcess gateway = serve();
  EXPECT_EQ(get(gateway.admin_port(), "/livez").status, 200);
  EXPECT_EQ(get(gateway.admin_port(), "/readyz").status, 200);
}

TEST(AdminAddress, serves_nothing_else) {
  const GatewayProcess gateway = serve();
  EXPECT_EQ(get(gateway.admin_port(), "/hello").status, 404);
  const Response post = request(gateway.admin_port(), "POST", "/metrics", "x");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.field("allow"), "GET, HEAD");
  EXPECT_EQ(get(gateway.port(), "/metrics").status, 404)
      << "the public address must not serve the admin pages";
}

}  // namespace
}  // namespace tollgate::testing
