// `/state` counts over all workers: nothing twice, nothing left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

constexpr int clients = 8;
constexpr int requests_each = 1000;

// Half over one connection, half over new ones, so that several workers are sure to take part.
std::vector<long> count(std::uint16_t port) {
  std::vector<long> values;
  Connection kept(port);
  for (int i = 0; i < requests_each; ++i) {
    if (i % 2 == 0) {
      kept.send("GET /state HTTP/1.1\r\nHost: a\r\n\r\n");
      values.push_back(std::stol(kept.read_response().body));
    } else {
      values.push_back(std::stol(get(port, "/state").body));
    }
  }
  return values;
}

TEST(State, eight_thousand_concurrent_requests_get_each_number_once) {
  const auto gateway = GatewayProcess::with_config(
      "listen = \"127.0.0.1:0\"\nworkers = 3\n[[route]]\npath = \"/state\"\nnative = \"state\"\n");
  std::vector<std::vector<long>> per_client(clients);
  std::vector<std::thread> threads;
  for (std::vector<long>& values : per_client) {
    threads.emplace_back([&values, port = gateway.port()] { values = count(port); });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<long> all;
  for (const std::vector<long>& values : per_client) all.insert(all.end(), values.begin(), values.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), std::size_t{clients * requests_each});
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<long>(i));
  EXPECT_EQ(gateway.worker_pids().size(), 3u);
}

TEST(State, goes_on_counting_over_a_reload) {
  const std::string config =
      "listen = \"127.0.0.1:0\"\nworkers = 2\n[[route]]\npath = \"/state\"\nnative = \"state\"\n";
  const auto gateway = GatewayProcess::with_config(config);
  EXPECT_EQ(get(gateway.port(), "/state").body, "0");
  gateway.rewrite_config(config + "[[route]]\npath = \"/new\"\nrespond = { body = \"new\" }\n");
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 2 routes"));
  EXPECT_EQ(get(gateway.port(), "/new").body, "new");
  EXPECT_EQ(get(gateway.port(), "/state").body, "1");
}

}  // namespace
}  // namespace tollgate::testing
