#include "gateway/observe/admin.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "gateway/testing/fake_exchange.hpp"

namespace tollgate::gateway {
namespace {

using nlohmann::json;
using testing::FakeExchange;

class Source final : public AdminSource {
 public:
  MetricsSnapshot metrics() const override { return {.version = "0.1.0", .engine = "none"}; }
  std::span<const Route> routes() const override { return table; }
  bool quarantined(const Route& route) const override { return route.slot == 1; }
  bool ready() const override { return is_ready; }

  std::vector<Route> table;
  bool is_ready = true;
};

class AdminTest : public ::testing::Test {
 protected:
  // Asks and gives the response's body; status and fields are in `response()`.
  std::string ask(std::string_view method, std::string_view target, std::string_view accept = "") {
    exchange_ = std::make_unique<FakeExchange>(method, target);
    if (!accept.empty()) exchange_->request.fields.add("Accept", accept);
    Admin admin(source_);
    testing::run(loop_, admin.handle(exchange_->exchange));
    return exchange_->response.body;
  }
  const testing::FakeResponse& response() const { return exchange_->response; }

  EventLoop loop_{1};
  Source source_;
  std::unique_ptr<FakeExchange> exchange_;
};

TEST_F(AdminTest, serves_metrics_as_prometheus_text) {
  const std::string page = ask("GET", "/metrics");
  EXPECT_EQ(response().status(), 200);
  EXPECT_EQ(response().field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(page.find("\n# TYPE tollgate_build_info gauge\n"), std::string::npos) << page;
}

TEST_F(AdminTest, serves_openmetrics_to_who_accepts_it) {
  const std::string page = ask(
      "GET", "/metrics", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5");
  EXPECT_EQ(response().field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(page.ends_with("# EOF\n")) << page;
}

TEST_F(AdminTest, is_ready_only_when_the_gateway_is) {
  EXPECT_EQ(ask("GET", "/readyz"), "ok\n");
  source_.is_ready = false;
  ask("GET", "/readyz");
  EXPECT_EQ(response().status(), 503);
  EXPECT_EQ(ask("GET", "/livez"), "ok\n");
  EXPECT_EQ(response().status(), 200);
}

TEST_F(AdminTest, refuses_other_paths_and_methods) {
  ask("GET", "/");
  EXPECT_EQ(response().status(), 404);
  ask("GET", "/metrics/");
  EXPECT_EQ(response().status(), 404);
  ask("POST", "/metrics");
  EXPECT_EQ(response().status(), 405);
  EXPECT_EQ(response().field("allow"), "GET, HEAD");
  ask("HEAD", "/livez");
  EXPECT_EQ(response().status(), 200);
}

TEST_F(AdminTest, describes_every_route) {
  source_.table = {
      {.path = "/hello", .methods = {"GET"}, .backend = NativeBackend{"hello"}},
      {.path = "/fn/*",
       .host = "*.example.org",
       .backend = WasmBackend{.module = "/srv/fn.wasm", .abi = Abi::stdio},
       .slot = 1},
      {.path = "/*",
       .backend = UpstreamBackend{.url = "http://127.0.0.1:1/base"},
       .transform = WasmBackend{.module = "t"}},
      {.path = "/fixed", .backend = RespondBackend{.status = 204}},
  };
  source_.table[1].limits.deadline = Milliseconds(500);
  const json routes = json::parse(ask("GET", "/routes"));
  EXPECT_EQ(response().field("content-type"), "application/json");
  ASSERT_EQ(routes.size(), 4u);
  EXPECT_EQ(routes[0]["route"], source_.table[0].name());
  EXPECT_EQ(routes[0]["methods"], json::array({"GET"}));
  EXPECT_EQ(routes[0]["backend"], (json{{"kind", "native"}, {"handler", "hello"}}));
  EXPECT_EQ(routes[0]["quarantined"], false);
  EXPECT_EQ(routes[1]["host"], "*.example.org");
  EXPECT_EQ(routes[1]["backend"], (json{{"kind", "wasm"}, {"module", "/srv/fn.wasm"}, {"abi", "stdio"}}));
  EXPECT_EQ(routes[1]["limits"]["deadline_ms"], 500);
  EXPECT_EQ(routes[1]["limits"].size(), 10u);  // all of docs/configuration.md
  EXPECT_EQ(routes[1]["limits"]["io_ms"], 5000);
  EXPECT_EQ(routes[1]["limits"]["response_bytes"], nullptr);
  EXPECT_EQ(routes[1]["quarantined"], true);
  EXPECT_EQ(routes[2]["backend"]["url"], "http://127.0.0.1:1/base");
  EXPECT_EQ(routes[2]["transform"], "t");
  EXPECT_EQ(routes[3]["backend"]["status"], 204);
}

}  // namespace
}  // namespace tollgate::gateway
