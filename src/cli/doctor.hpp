// What `tollgate doctor` looks at, and what it found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::cli {

enum class Verdict : std::uint8_t {
  ok,
  note,     // works; something to know, or something optional is missing
  problem,  // tollgate cannot serve (well) on this machine
};

struct Finding {
  Verdict verdict;
  std::string what;   // "vm.max_map_count"
  std::string found;  // "65530"
  std::string means;  // what follows from it, and how to change it; may be empty
};

// What the kernel offers and the limits we were started with.
std::vector<Finding> examine_kernel();
// The engine that is built in.
std::vector<Finding> examine_engine();
// Programs beside us that the lab, the benchmarks and the example guests use.
std::vector<Finding> examine_tools();

}  // namespace tollgate::cli
