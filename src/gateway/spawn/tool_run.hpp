// Runs a command to its end while nobody is served: at start, at a reload, in `tollgate doctor`.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/expected.hpp"

namespace tollgate::gateway {

// Bounds of a tool; 0: none of this kind.
struct ToolLimits {
  std::chrono::milliseconds wall{60'000};
  std::uint64_t cpu_seconds = 0;
  std::uint64_t address_space_bytes = 0;
  std::uint64_t file_bytes = 0;  // of each file it writes
};

// Whose rights a tool has.
enum class ToolUser : std::uint8_t {
  ours,
  nobody,  // when we are root; no new privileges, lower priority, first to go when memory runs out
};

struct ToolRun {
  std::vector<std::string> argv;         // argv[0] is a path
  std::vector<std::string> environment;  // "NAME=value"; empty: ours
  int input = -1;                        // its descriptor 3, beside an empty stdin; -1: none
  ToolLimits limits;
  ToolUser user = ToolUser::ours;
};

struct ToolFailure {
  enum class Reason : std::uint8_t { start, wall, cpu, memory, file, failed } reason = Reason::start;
  std::string detail;  // the end of what it said, or why it could not be started
};

// What the command wrote to stdout and stderr (the first 4 KiB), when it ended with exit code 0 within its
// limits. It has a process group of its own, which is killed in the end, and dies with the calling thread.
// Blocks.
expected<std::string, ToolFailure> run_tool(const ToolRun& run);

}  // namespace tollgate::gateway
