#include "gateway/observe/stats_totals.hpp"

#include <algorithm>

namespace tollgate::gateway {
namespace {

constexpr const char* unrouted_name = "";
constexpr const char* other_name = "other";

}  // namespace

void RouteTotals::add_counters(const RouteRow& row) {
  row.requests.for_each([this](int status, std::string_view word, std::uint64_t count) {
    requests[{status, std::string(word)}] += count;
  });
  request_bytes += row.request_bytes.get();
  response_bytes += row.response_bytes.get();
  queue += row.queue.totals();
  handler += row.handler.totals();
  total += row.total.totals();
  guest_instantiate += row.guest_instantiate.totals();
  guest_run += row.guest_run.totals();
  guest_teardown += row.guest_teardown.totals();
  guest_cpu_ns += row.guest_cpu_ns.get();
  guest_hot_pages += row.guest_hot_pages.totals();
  program_run += row.program_run.totals();
  program_cpu_ns += row.program_cpu_ns.get();
  upstream_connects += row.upstream_connects.get();
  upstream_reuses += row.upstream_reuses.get();
  upstream_retries += row.upstream_retries.get();
  upstream_failures += row.upstream_failures.get();
}

void RouteTotals::add_gauges(const RouteRow& row) {
  sandboxes_active += row.sandboxes_active.get();
  sandboxes_max += row.sandboxes_max.get();
  program_memory_peak_bytes =
      std::max<std::uint64_t>(program_memory_peak_bytes, row.program_memory_peak_bytes.get());
}

void WorkerTotals::add_counters(const WorkerRow& row) {
  connections_accepted += row.connections_accepted.get();
  connections_rejected += row.connections_rejected.get();
  connections_timed_out += row.connections_timed_out.get();
  log_lines_dropped += row.log_lines_dropped.get();
  loop_delay += row.loop_delay.totals();
}

void WorkerTotals::add_gauges(const WorkerRow& row) {
  // Closed first: a connection accepted in between must not make it negative.
  const std::uint64_t closed = row.connections_closed.get();
  const std::uint64_t accepted = row.connections_accepted.get();
  if (accepted > closed) connections_open += accepted - closed;
}

RouteTotals& StatsTotals::retained(const std::string& name) {
  const bool known = retained_.routes.contains(name);
  return retained_
      .routes[known || retained_.routes.size() < retained_names_max ? name : std::string(other_name)];
}

void StatsTotals::retain_route(const NamedSlot& route, const StatsSegment& segment) {
  retained(route.name).add_counters(segment.route(route.slot));
}

void StatsTotals::retain_segment(const StatsSegment& segment, std::span<const NamedSlot> slots) {
  retained_.workers.add_counters(segment.worker);
  retained(unrouted_name).add_counters(segment.unrouted);
  for (const NamedSlot& route : slots) retain_route(route, segment);
}

GatewayTotals StatsTotals::sum(std::span<const StatsSegment* const> living,
                               std::span<const NamedSlot> slots) const {
  GatewayTotals totals = retained_;
  for (const StatsSegment* const segment : living) {
    totals.workers.add_counters(segment->worker);
    totals.workers.add_gauges(segment->worker);
    totals.routes[unrouted_name].add_counters(segment->unrouted);
    for (const NamedSlot& named : slots) {
      RouteTotals& route = totals.routes[named.name];
      route.add_counters(segment->route(named.slot));
      route.add_gauges(segment->route(named.slot));
    }
  }
  return totals;
}

}  // namespace tollgate::gateway
