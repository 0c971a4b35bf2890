// What the supervisor knows of all workers' counters: those of living ones, and what was retained of the
// others.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gateway/observe/metrics.hpp"
#include "gateway/observe/stats_totals.hpp"
#include "gateway/process/route_slots.hpp"
#include "gateway/process/worker_slot.hpp"

namespace tollgate::gateway {

// Threads: the supervisor's event loop. The slots outlive it.
class GatewayStats final : public WorkerObserver {
 public:
  explicit GatewayStats(const RouteSlots& slots) : slots_(slots) {}

  void worker_started(const WorkerSegments& segments) override;
  void worker_ended(const WorkerSegments& segments) override;
  void worker_restarted() override { ++restarts_; }

  // These slots get new owners: keeps what the old ones counted and clears their rows.
  void reuse(const std::vector<RouteSlots::Reused>& reused);
  void reloaded() { ++reloads_; }
  void reload_refused() { ++reloads_refused_; }

  // All of a snapshot that is counted here.
  MetricsSnapshot snapshot() const;

 private:
  const RouteSlots& slots_;
  StatsTotals totals_;
  std::set<const WorkerSegments*> living_;
  std::uint64_t restarts_ = 0;
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_refused_ = 0;
};

}  // namespace tollgate::gateway
