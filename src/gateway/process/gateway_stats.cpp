#include "gateway/process/gateway_stats.hpp"

namespace tollgate::gateway {

void GatewayStats::worker_started(const WorkerSegments& segments) {
  living_.insert(&segments);
}

void GatewayStats::worker_ended(const WorkerSegments& segments) {
  if (living_.erase(&segments) > 0) totals_.retain_segment(segments.stats(), slots_.all());
}

void GatewayStats::reuse(const std::vector<RouteSlots::Reused>& reused) {
  for (const auto& [slot, previous] : reused) {
    for (const WorkerSegments* segments : living_) {
      totals_.retain_route({previous, slot}, segments->stats());
      segments->clear_row(slot);
    }
  }
}

MetricsSnapshot GatewayStats::snapshot() const {
  std::vector<const StatsSegment*> living;
  for (const WorkerSegments* segments : living_) living.push_back(&segments->stats());
  MetricsSnapshot snapshot;
  snapshot.totals = totals_.sum(living, slots_.all());
  snapshot.worker_restarts = restarts_;
  snapshot.reloads = reloads_;
  snapshot.reloads_refused = reloads_refused_;
  return snapshot;
}

}  // namespace tollgate::gateway
