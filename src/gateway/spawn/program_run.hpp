// One request's run of a program: body on stdin, answer from stdout, complaints from stderr, everything
// bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/async.hpp"
#include "base/timer_wheel.hpp"
#include "gateway/observe/request_observer.hpp"
#include "gateway/spawn/spawn_client.hpp"
#include "http/exchange.hpp"

namespace tollgate::gateway {

// What is run, and on what.
struct ProgramInput {
  StartProgram start;
  std::string_view name;  // what the log calls it; empty: the file that is executed
  std::string_view body;
  int module = -1;  // program_module_fd, if it needs one; borrowed
  // A guess; see ProgramOutcome::wrote_much.
  enum class Output : std::uint8_t { little, much } expected = Output::little;
};

struct ProgramServices {
  SpawnClient& spawner;
  TimerWheel& wheel;
};

struct ProgramBounds {
  std::uint64_t output_bytes_max = 0;
  std::uint64_t stderr_bytes_max = 0;
};

struct ProgramOutcome {
  enum class Ending : std::uint8_t {
    done,       // exit code 0
    exit_code,  // another one
    signal,     // ended by a signal that nobody here sent
    cpu,        // RLIMIT_CPU
    output,     // more output than allowed
    cancelled,  // the exchange's cancellation says why
    start,      // it could not be started, or the spawner is gone
  };
  Ending ending = Ending::done;
  std::string detail;       // one sentence for the log: cause and remedy
  int code = 0;             // of exit_code
  bool wrote_much = false;  // more than half of what a pipe holds: the next run better expects it
  std::chrono::microseconds cpu{};
  std::uint64_t memory_bytes_peak = 0;
};

// Completes when the program and every descendant of it is gone. `output` gets what it wrote, `lines` what it
// complained. Descriptors are closed in every case. Where a spawner has died, the next one is waited for, up
// to a second.
Task<ProgramOutcome> run_program(const ProgramServices& services, ProgramInput input,
                                 const ProgramBounds& bounds, http::Cancellation& cancellation,
                                 std::string& output, GuestStderr& lines);

}  // namespace tollgate::gateway
