// The supervisor's view of what all workers counted: living segments plus what was retained of those that are
// gone. Everything read from a segment is an untrusted number; the worst a worker can do is to report wrong
// ones.
//
// Threads: the supervisor's one thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/histogram.hpp"
#include "gateway/observe/stats_row.hpp"

namespace tollgate::gateway {

// Sums of RouteRows: the same members, see there.
struct RouteTotals {
  std::map<std::pair<int, std::string>, std::uint64_t> requests;  // by status and outcome word
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  DurationTotals queue;
  DurationTotals handler;
  DurationTotals total;
  std::uint64_t sandboxes_active = 0;
  std::uint64_t sandboxes_max = 0;
  DurationTotals guest_instantiate;
  DurationTotals guest_run;
  DurationTotals guest_teardown;
  std::uint64_t guest_cpu_ns = 0;
  CountTotals guest_hot_pages;
  DurationTotals program_run;
  std::uint64_t program_cpu_ns = 0;
  std::uint64_t program_memory_peak_bytes = 0;  // the highest of all workers
  std::uint64_t upstream_connects = 0;
  std::uint64_t upstream_reuses = 0;
  std::uint64_t upstream_retries = 0;
  std::uint64_t upstream_failures = 0;

  void add_counters(const RouteRow& row);
  void add_gauges(const RouteRow& row);
};

struct WorkerTotals {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t connections_rejected = 0;
  std::uint64_t connections_timed_out = 0;
  std::uint64_t log_lines_dropped = 0;
  DurationTotals loop_delay;

  void add_counters(const WorkerRow& row);
  void add_gauges(const WorkerRow& row);
};

struct GatewayTotals {
  WorkerTotals workers;
  std::map<std::string, RouteTotals> routes;  // by name; "" for requests that no route took
};

struct NamedSlot {
  std::string name;  // Route::name()
  std::uint32_t slot = 0;
};

class StatsTotals {
 public:
  // Names of removed routes that are told apart; later ones are counted together as "other".
  static constexpr std::size_t retained_names_max = 1024;

  // Keeps what a segment has counted in a slot; call before the slot is cleared for another name.
  void retain_route(const NamedSlot& route, const StatsSegment& segment);

  // Keeps all that a segment has counted; call before it is dropped. `slots`: those of all names still in it.
  void retain_segment(const StatsSegment& segment, std::span<const NamedSlot> slots);

  // What was retained and what the living segments hold.
  GatewayTotals sum(std::span<const StatsSegment* const> living, std::span<const NamedSlot> slots) const;

 private:
  RouteTotals& retained(const std::string& name);

  GatewayTotals retained_;
};

}  // namespace tollgate::gateway
