#include "bench/arm.hpp"

namespace tollgate::bench {

using namespace std::chrono_literals;

Effort Effort::quick() {
  return {.warm_up = 0ms,
          .window = 500ms,
          .container_starts = 2,
          .programs = 3,
          .sleepers = 10,
          .chain_requests = 2,
          .benchmark_repetitions = 1,
          .benchmark_seconds = 0.02};
}

Arms all_arms() {
  Arms arms;
  add_throughput_arms(arms);
  add_start_arms(arms);
  add_memory_arms(arms);
  add_guest_arms(arms);
  add_sandbox_arms(arms);
  add_spawn_arms(arms);
  return arms;
}

}  // namespace tollgate::bench
