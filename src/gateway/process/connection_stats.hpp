// Carries what the HTTP server counts (plain numbers of its own) into the worker's shared row, now and then.
#pragma once

#include <chrono>

#include "base/async.hpp"
#include "gateway/observe/stats_row.hpp"
#include "http/server_shared.hpp"

namespace tollgate::gateway {

class ConnectionStats {
 public:
  static constexpr std::chrono::milliseconds interval{250};

  ConnectionStats(EventLoop& loop, const http::ServerCounters& counters, WorkerRow& row)
      : timer_(loop), counters_(counters), row_(row) {}

  // Repeats until stop().
  void start();
  void stop() { timer_.cancel(); }
  void publish();

 private:
  SteadyTimer timer_;
  const http::ServerCounters& counters_;
  http::ServerCounters published_;
  WorkerRow& row_;
};

}  // namespace tollgate::gateway
