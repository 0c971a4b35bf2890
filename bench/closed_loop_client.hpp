// Closed-loop load: each connection sends its next request when the answer to the last has come. It comes in
// slices, which may be far shorter than what a machine's speed drifts in: several servers, each with a
// client, can take turns of milliseconds and meet the same drift.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/placement.hpp"

namespace tollgate::bench {

struct Load {
  std::string target = "/";
  unsigned connections = 64;
  enum class Reuse { keep_alive, connection_per_request } reuse = Reuse::keep_alive;
  std::string body;  // not empty: POST
};

// How a client waits for answers. One that sleeps must be woken by the server, whose time that takes (in a
// virtual machine, an interrupt of another core and microseconds): no client on another machine costs that.
// One that spins needs cores of its own.
enum class Wait { sleeping, spinning };

struct LoadResult {
  std::uint64_t requests = 0;  // answered with 200
  std::uint64_t in_time = 0;   // of those, before the slice's end
  std::uint64_t errors = 0;    // other statuses, connections that failed or were closed too early
  double seconds = 0;          // the slice's length
  std::vector<double> latencies_us;

  void add(LoadResult&& other);  // all but the seconds, which may be the same ones
};

class ClosedLoopClient {
 public:
  // As many threads as cores, at most one a connection; each keeps to a core if it spins. Nothing is
  // connected yet.
  ClosedLoopClient(std::uint16_t port, const Load& load, const Cores& cores, Wait wait);
  ClosedLoopClient(ClosedLoopClient&&) noexcept;
  ~ClosedLoopClient();

  // Returns when every answer has come: between slices the server has nothing to do. Connections stay open
  // from slice to slice. Throws when an answer does not come at all.
  LoadResult run(std::chrono::milliseconds slice);

 private:
  class Loop;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace tollgate::bench
