// What a worker and its spawner say to each other, one packet each (process/ipc.hpp).
//
// The worker runs guests and therefore never starts a program; its spawner does nothing else. A worker asks
// for a start with three descriptors (stdin, stdout, stderr of the program) or a fourth (program_module_fd),
// may ask for its end, and is told once how it ended, after every descendant is gone. The spawner ends, with
// all it started, when the socket closes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"

namespace tollgate::gateway {

// Where a program that runs a WebAssembly module finds it, wherever the file itself lies and whoever may read
// there.
inline constexpr int program_module_fd = 3;
inline constexpr std::string_view program_module_path = "/proc/self/fd/3";

// Resource limits put on the program itself (setrlimit(2)); 0 leaves the spawner's own.
struct SpawnLimits {
  std::uint64_t cpu_seconds = 0;   // RLIMIT_CPU: a backstop, the deadline comes first
  std::uint64_t memory_bytes = 0;  // RLIMIT_DATA: writable private memory, of each process. Engines reserve
                                   // gigabytes of address space they never touch, so RLIMIT_AS will not do
  std::uint64_t file_bytes = 0;    // RLIMIT_FSIZE
  std::uint64_t open_files = 0;    // RLIMIT_NOFILE
  friend bool operator==(const SpawnLimits&, const SpawnLimits&) = default;
};

struct StartProgram {
  std::uint64_t id = 0;  // the worker's number for this run, never reused
  SpawnLimits limits;
  std::vector<std::string> argv;         // argv[0] is the absolute path that is executed
  std::vector<std::string> environment;  // "NAME=value"
};

struct EndProgram {
  std::uint64_t id = 0;
};

struct ProgramEnded {
  std::uint64_t id = 0;
  int start_error = 0;                  // errno of the start; the rest is meaningless unless 0
  int wait_status = 0;                  // waitpid(2)
  std::chrono::microseconds cpu{};      // user + system, with every descendant that can be attributed
  std::uint64_t memory_bytes_peak = 0;  // largest resident set of any single one of them
};

using SpawnerMessage = std::variant<StartProgram, EndProgram, ProgramEnded>;

// The error is a sentence: argv and environment do not fit into a packet.
expected<std::string, std::string> encode(const SpawnerMessage& message);
// Nullopt for anything that encode() did not make.
std::optional<SpawnerMessage> decode(std::string_view bytes);

}  // namespace tollgate::gateway
