#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>

#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/metrics_page.hpp"

namespace tollgate::testing {
namespace {

using namespace std::chrono_literals;

constexpr char head[] = "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\n";
constexpr char two_routes[] = R"(
[[route]]
path = "/hello"
native = "hello"
[[route]]
path = "/echo"
native = "echo"
limits = { body = "16B" }
)";
constexpr char one_route[] = R"(
[[route]]
path = "/echo"
native = "echo"
)";

GatewayProcess serve(const std::string& routes) {
  return GatewayProcess::with_config(head + routes);
}

const std::string hello_ok = "tollgate_requests_total{outcome=ok,route=/hello,status=200}";

TEST(MetricsPage, counts_mixed_traffic_and_is_accepted_by_a_strict_parser) {
  const GatewayProcess gateway = serve(two_routes);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  EXPECT_EQ(request(gateway.port(), "POST", "/echo", "twelve bytes").status, 200);
  EXPECT_EQ(request(gateway.port(), "POST", "/echo", "more than sixteen bytes").status, 413);
  EXPECT_EQ(get(gateway.port(), "/nowhere").status, 404);
  Connection malformed(gateway.port());
  malformed.send("GET /hello HTTP/1.1\r\n\r\n");
  EXPECT_EQ(malformed.read_response().status, 400);

  wait_for_metric(gateway.admin_port(), "tollgate_connections_accepted_total{}", 7);
  wait_for_metric(gateway.admin_port(), "tollgate_requests_total{outcome=host,route=,status=400}", 1);
  for (const Metrics& metrics :
       {read_metrics(gateway.admin_port()), read_openmetrics(gateway.admin_port())}) {
    EXPECT_EQ(value_of(metrics, hello_ok), 3);
    EXPECT_EQ(value_of(metrics, "tollgate_requests_total{outcome=ok,route=/echo,status=200}"), 1);
    EXPECT_EQ(value_of(metrics, "tollgate_requests_total{outcome=body,route=/echo,status=413}"), 1);
    EXPECT_EQ(value_of(metrics, "tollgate_requests_total{outcome=not_found,route=,status=404}"), 1);
    EXPECT_EQ(value_of(metrics, "tollgate_requests_total{outcome=host,route=,status=400}"), 1);
    EXPECT_EQ(value_of(metrics, "tollgate_request_seconds_count{route=/hello}"), 3);
    EXPECT_GT(value_of(metrics, "tollgate_request_seconds_sum{route=/hello}"), 0);
    EXPECT_EQ(value_of(metrics, "tollgate_request_handler_seconds_count{route=/hello}"), 3);
    EXPECT_EQ(value_of(metrics, "tollgate_request_queue_seconds_count{route=/hello}"), 3);
    EXPECT_EQ(value_of(metrics, "tollgate_response_body_bytes_total{route=/hello}"), 15);
    EXPECT_EQ(value_of(metrics, "tollgate_workers{}"), 1);
    EXPECT_EQ(value_of(metrics, "tollgate_worker_restarts_total{}"), 0);
  }
}

TEST(MetricsPage, knows_how_many_connections_are_open) {
  const GatewayProcess gateway = serve(two_routes);
  {
    const Connection one(gateway.port());
    const Connection two(gateway.port());
    EXPECT_EQ(value_of(wait_for_metric(gateway.admin_port(), "tollgate_connections_open{}", 2),
                       "tollgate_connections_open{}"),
              2);
  }
  EXPECT_TRUE(eventually(
      [&] { return value_of(read_metrics(gateway.admin_port()), "tollgate_connections_open{}") == 0; }, 10s));
}

TEST(MetricsPage, never_falls_over_reloads_and_a_killed_worker) {
  const GatewayProcess gateway = serve(two_routes);
  for (int i = 0; i < 5; ++i) get(gateway.port(), "/hello");
  const Metrics before = wait_for_metric(gateway.admin_port(), "tollgate_connections_accepted_total{}", 5);
  EXPECT_EQ(value_of(before, hello_ok), 5);

  gateway.rewrite_config(head + std::string(one_route));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 1 routes")) << gateway.err();
  const Metrics without = read_metrics(gateway.admin_port());
  expect_monotonic(before, without);
  EXPECT_EQ(value_of(without, "tollgate_reloads_total{result=loaded}"), 1);

  gateway.rewrite_config(head + std::string(two_routes));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 2 routes")) << gateway.err();
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  const Metrics again = wait_for_metric(gateway.admin_port(), hello_ok, 6);  // counted after it was answered
  expect_monotonic(without, again);
  EXPECT_EQ(value_of(again, hello_ok), 6);

  ASSERT_EQ(gateway.worker_pids().size(), 1u);
  ::kill(gateway.worker_pids().front(), SIGKILL);
  const Metrics restarted = wait_for_metric(gateway.admin_port(), "tollgate_worker_restarts_total{}", 1);
  EXPECT_EQ(value_of(restarted, "tollgate_worker_restarts_total{}"), 1);
  expect_monotonic(again, restarted);
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  EXPECT_EQ(value_of(wait_for_metric(gateway.admin_port(), hello_ok, 7), hello_ok), 7);
}

}  // namespace
}  // namespace tollgate::testing
