// What a process costs by itself: the same command, started by posix_spawn(3) with pipes and waited for, one
// after the other. The floor that a spawn route is compared with.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bench/placement.hpp"

namespace tollgate::bench {

struct SpawnCost {
  double cpu_us = 0;   // of the child and of us, per run
  double wall_us = 0;  // per run
};

SpawnCost mean(const std::vector<SpawnCost>& costs);

// Runs it on the cores for that long; `input` goes to its stdin, its output is read to the end and must start
// with `output`. Throws with a sentence when it does not work.
SpawnCost spawn_to_exit(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                        const std::string& input, const std::string& output, const Cores& cores,
                        std::chrono::milliseconds duration);

// The same on each of the cores at once, a process on each: the mean of their costs. Cores that are all busy
// are slower, for what they share.
SpawnCost spawn_to_exit_on_each(const std::vector<std::string>& command,
                                const std::vector<std::string>& environment, const std::string& input,
                                const std::string& output, const Cores& cores,
                                std::chrono::milliseconds duration);

}  // namespace tollgate::bench
