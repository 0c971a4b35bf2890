// The seam between whoever has a request and the engine that runs it: a Program is compiled code, immutable
// and shared; a Run is one request in its own fresh sandbox; an Outcome says how it ended. No HTTP type and
// no engine type appears here.
//
// Threads: a worker's one thread. Nothing here blocks; a Run that must wait says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace tollgate::sandbox {

using SteadyTime = std::chrono::steady_clock::time_point;

// Bounds of one run. Units are in the names; each has a default in gateway/config/config.hpp and a named
// outcome.
struct Limits {
  std::uint64_t memory_bytes_max = 128u << 20;
  std::uint64_t output_bytes_max = 8u << 20;
  std::uint64_t stderr_bytes_max = 64u << 10;
  std::chrono::nanoseconds cpu_max = std::chrono::seconds(1);
};

// How a run ended. The gateway maps each to one status, one log word and one metric label.
enum class Ending : std::uint8_t {
  done,       // returned from _start, or exit code 0
  exit_code,  // exit code other than 0
  trap,       // unreachable, out of bounds, division, stack overflow, ...
  memory,     // growth was refused and the run failed
  cpu,        // the CPU budget is spent
  cancelled,  // Run::cancel (deadline, client gone, shutdown): the caller knows which
  output,     // more output than allowed
  capacity,   // no sandbox could be made: the worker's budget of mappings or stacks is used up
  engine,     // the engine or the host failed; never the guest's doing
};

struct Costs {
  std::chrono::nanoseconds instantiate{};
  std::chrono::nanoseconds run{};
  std::chrono::nanoseconds teardown{};
  std::chrono::nanoseconds cpu{};  // thread CPU time between entering and leaving the guest, over all slices
  std::uint32_t hot_pages = 0;
  std::uint64_t memory_bytes = 0;  // linear memory at the end
};

struct Outcome {
  Ending ending = Ending::done;
  int exit_code = 0;
  std::string detail;  // for the log: the trap's text, what was refused
  Costs costs;
};

// Where a guest's stdin comes from. `later`: nothing now; the run waits until Run::resume is called again.
class Source {
 public:
  enum class State : std::uint8_t { ready, later, end };
  struct Piece {
    State state;
    std::string_view bytes;  // at most `max`, valid until the next call
  };
  virtual ~Source() = default;
  virtual Piece read(std::size_t max) = 0;
};

// The end of a stderr that was cut at its bound.
inline constexpr std::string_view stderr_cut_note = "\n(stderr is cut here, at the limit `stderr`)\n";

// Where stdout and stderr go. Called from inside the guest: must not run it again, must not throw.
class Sink {
 public:
  // full: the run waits; refused: it ends with `output`.
  enum class State : std::uint8_t { accepted, full, refused };
  virtual ~Sink() = default;
  virtual State write(std::string_view bytes) = 0;
  virtual void log(std::string_view bytes) = 0;  // stderr, already bounded by Limits; then the note
};

// A directory the guest may see, opened by the supervisor (workers open nothing by path).
struct Directory {
  int fd = -1;
  std::string_view guest_path;
  bool writable = false;
};

// Whether reading the Source may say `later` and writing to the Sink `full`. Where all is at hand, calls cost
// less.
enum class Streams : std::uint8_t { may_wait, at_hand };

// Everything a run is given. All views must outlive the Run.
struct Input {
  Source* body = nullptr;
  Streams streams = Streams::may_wait;
  std::span<const std::string_view> args;         // argv, program name first
  std::span<const std::string_view> environment;  // "NAME=value"
  std::span<const Directory> directories;
  Limits limits;
};

class Run {
 public:
  enum class State : std::uint8_t {
    runnable,  // used its slice up; resume when its turn comes
    waiting,   // resume at wake_at(), or when the Source or Sink that said "later" has more
    ended,     // take_outcome() gives why
  };

  virtual ~Run() = default;  // frees the sandbox; allowed in any state

  // Enters the guest for one slice (sandbox/epoch_ticker.hpp), the first time in a fresh sandbox. Says
  // `ended` again once ended.
  virtual State resume() = 0;

  // The next resume() ends the run with `cancelled` instead of entering the guest.
  virtual void cancel() = 0;

  virtual std::optional<SteadyTime> wake_at() const = 0;

  // Tears the sandbox down (its cost is counted) and tells how it went. After `ended` only, once.
  virtual Outcome take_outcome() = 0;
};

// Compiled and loaded code of one module. Reference-counted by its users; the last one gives back slots,
// mappings and code. Outlives its runs.
class Program {
 public:
  virtual ~Program() = default;

  // One request's run. Its sandbox is made by the first resume(), which says `ended` if there can be none.
  virtual std::unique_ptr<Run> start(const Input& input, Sink& sink) = 0;

  virtual std::string_view name() const = 0;    // for logs
  virtual std::string_view digest() const = 0;  // hex SHA-256 of the module it was compiled from
};

}  // namespace tollgate::sandbox
