#include "tests/support/metrics_page.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

constexpr std::chrono::seconds wait_max{10};
constexpr std::chrono::milliseconds wait_step{50};

Metrics parse(const std::string& page, const std::string& format) {
  const TempDir folder;
  const std::string file = folder.write("metrics.txt", page);
  const std::string json = (folder.path() / "metrics.json").string();
  const std::string command = "/usr/bin/python3 " TOLLGATE_SOURCE_DIR "/tests/support/check_metrics.py " +
                              format + " < " + file + " > " + json;
  if (std::system(command.c_str()) != 0) {
    ADD_FAILURE() << "the parser refuses:\n" << page;
    return {};
  }
  return nlohmann::json::parse(std::ifstream(json)).get<Metrics>();
}

bool only_grows(const std::string& sample) {
  const std::string name = sample.substr(0, sample.find('{'));
  return name.ends_with("_total") || name.ends_with("_bucket") || name.ends_with("_count") ||
         name.ends_with("_sum");
}

}  // namespace

Metrics read_metrics(std::uint16_t admin_port) {
  const Response response = get(admin_port, "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return parse(response.body, "prometheus");
}

Metrics read_openmetrics(std::uint16_t admin_port) {
  const Response response =
      get(admin_port, "/metrics", {{"Accept", "application/openmetrics-text; version=1.0.0"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  return parse(response.body, "openmetrics");
}

Metrics wait_for_metric(std::uint16_t admin_port, const std::string& sample, double at_least) {
  const auto until = std::chrono::steady_clock::now() + wait_max;
  for (;;) {
    Metrics metrics = read_metrics(admin_port);
    if (value_of(metrics, sample) >= at_least || std::chrono::steady_clock::now() > until) return metrics;
    std::this_thread::sleep_for(wait_step);
  }
}

double value_of(const Metrics& metrics, const std::string& sample) {
  const auto found = metrics.find(sample);
  return found == metrics.end() ? 0 : found->second;
}

void expect_monotonic(const Metrics& before, const Metrics& after) {
  for (const auto& [sample, value] : before) {
    if (!only_grows(sample)) continue;
    EXPECT_TRUE(after.contains(sample)) << sample << " is gone";
    EXPECT_GE(value_of(after, sample), value) << sample << " fell";
  }
}

}  // namespace tollgate::testing
