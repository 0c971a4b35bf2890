// Closed-loop load by wrk: each connection sends its next request when the answer to the last has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "bench/servers.hpp"

namespace tollgate::bench {

struct Load {
  std::string target = "/";
  unsigned connections = 64;
  std::chrono::milliseconds duration{5000};  // wrk counts whole seconds: rounded up
  enum class Reuse { keep_alive, connection_per_request } reuse = Reuse::keep_alive;
  std::string body;  // not empty: POST
};

struct LoadResult {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // connect, read, write, timeout, and statuses of 400 and above
  double seconds = 0;
  double p50_us = 0;
  double p99_us = 0;
};

// Throws with wrk's own words when it fails.
LoadResult run_wrk(const Programs& programs, const Folder& folder, const Cores& cores, std::uint16_t port,
                   const Load& load);

// What the script makes wrk print, read back.
LoadResult parse_wrk(const std::string& output);

}  // namespace tollgate::bench
