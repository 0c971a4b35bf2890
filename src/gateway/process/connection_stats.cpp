#include "gateway/process/connection_stats.hpp"

#include <numeric>

namespace tollgate::gateway {
namespace {

std::uint64_t timeouts(const http::ServerCounters& counters) {
  return std::accumulate(counters.timeouts.begin(), counters.timeouts.end(), std::uint64_t{0});
}

std::uint64_t rejected(const http::ServerCounters& counters) {
  return counters.refused_at_cap + counters.accept_errors;
}

}  // namespace

void ConnectionStats::publish() {
  row_.connections_accepted.add(counters_.accepted - published_.accepted);
  row_.connections_closed.add(counters_.closed - published_.closed);
  row_.connections_rejected.add(rejected(counters_) - rejected(published_));
  row_.connections_timed_out.add(timeouts(counters_) - timeouts(published_));
  published_ = counters_;
}

void ConnectionStats::start() {
  timer_.expires_after(interval);
  timer_.async_wait([this](error_code error) {
    if (error) return;
    publish();
    start();
  });
}

}  // namespace tollgate::gateway
