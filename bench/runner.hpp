// The run: blocks, in which every arm is measured once. Arms that are measured whole come one after another,
// in an order shuffled anew in each block; those measured in slices take turns, all at one go somewhere
// between.
#pragma once

#include <cstdint>

#include "bench/arm.hpp"
#include "bench/report.hpp"

namespace tollgate::bench {

struct RunPlan {
  unsigned blocks = 1;
  std::uint64_t seed = 1;  // of every order
};

// Tells on stderr what it does, so that stdout is the report alone. An arm that fails is named in the run's
// failures, and in that block has an empty measurement.
Run run_blocks(const Arms& arms, const Context& context, const RunPlan& plan);

}  // namespace tollgate::bench
