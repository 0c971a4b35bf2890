// Load at a fixed rate, whatever the server does: arrival times are fixed in advance and a request's latency
// counts from when it was meant to be sent. A server that stalls for 100 ms is thus charged for every request
// of those 100 ms, not for one (no coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::bench {

struct OpenLoop {
  std::string target = "/";
  double requests_per_second = 1000;
  std::chrono::milliseconds duration{5000};
  std::chrono::milliseconds settle{2000};  // how long answers are waited for after the last arrival
};

struct OpenLoopResult {
  std::vector<double> latencies_ms;  // of the requests answered with 200, sorted
  std::uint64_t failed = 0;          // other statuses, closed connections, no answer in time
  // How late we were ourselves; a large one means that the client is saturated.
  double worst_send_delay_ms = 0;
};

// Uses as many keep-alive connections as the delays ask for, at most connections_max.
inline constexpr std::size_t connections_max = 1000;
OpenLoopResult run_open_loop(std::uint16_t port, const OpenLoop& load);

}  // namespace tollgate::bench
