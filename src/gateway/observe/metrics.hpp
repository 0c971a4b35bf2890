// What /metrics says, built from the totals of all workers. The names are a promise: dashboards depend on
// them; docs/operations.md explains each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gateway/observe/prometheus_text.hpp"
#include "gateway/observe/stats_totals.hpp"

namespace tollgate::gateway {

struct MetricsSnapshot {
  GatewayTotals totals;
  std::string version;
  std::string engine;
  std::uint64_t workers = 0;  // serving
  std::uint64_t worker_restarts = 0;
  std::uint64_t reloads = 0;
  std::uint64_t reloads_refused = 0;
  std::uint64_t supervisor_log_lines_dropped = 0;
  std::vector<std::string> quarantined;  // names of routes
};

std::string metrics_text(const MetricsSnapshot& snapshot, Exposition format);

}  // namespace tollgate::gateway
