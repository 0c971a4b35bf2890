// An arm is one thing that is measured, by one name. Each block of a run measures every arm once.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/placement.hpp"
#include "bench/servers.hpp"

namespace tollgate::bench {

// How long and how much; `quick` only shows that everything works.
struct Effort {
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds window{5000};  // of load, the sum of an arm's slices
  unsigned container_starts = 10;          // each takes a quarter of a second and more
  unsigned programs = 1000;                // loaded at once
  unsigned sleepers = 500;                 // guests that sleep at once
  unsigned chain_requests = 40;
  unsigned benchmark_repetitions = 5;  // of each Google Benchmark
  double benchmark_seconds = 0.3;      // at least, each
  static Effort full() { return {}; }
  static Effort quick();
};

struct Context {
  Programs programs;
  Placement placement;
  Effort effort;
};

// What one run of an arm gave: by name, the unit at its end, e.g. "cpu_us_per_request".
using Measurement = std::map<std::string, double>;

class Arm {
 public:
  Arm(std::string name, std::string about) : name_(std::move(name)), about_(std::move(about)) {}
  virtual ~Arm() = default;

  const std::string& name() const { return name_; }
  const std::string& about() const { return about_; }

  // Why it cannot be measured here, if so.
  virtual std::optional<std::string> unavailable(const Context&) const { return std::nullopt; }

 private:
  std::string name_;
  std::string about_;
};

// Measured while nothing else is.
class WholeArm : public Arm {
 public:
  using Arm::Arm;
  // Throws with a sentence when it does not work.
  virtual Measurement run(const Context& context) = 0;
};

// Measured in slices: `slice_duration` of load, or one start. All such arms of a block take turns: a
// machine's speed drifts, and in turns of milliseconds the fast and the slow moments meet all arms alike.
class SlicedArm : public Arm {
 public:
  using Arm::Arm;

  // What is up and measured in one block. Its functions throw with a sentence when it does not work.
  class Slices {
   public:
    virtual ~Slices() = default;
    virtual void take() = 0;  // one more; before and after it nothing of the arm runs
    virtual Measurement result() = 0;
  };
  virtual std::unique_ptr<Slices> begin(const Context& context) = 0;
};

inline constexpr std::chrono::milliseconds slice_duration{50};

using Arms = std::vector<std::unique_ptr<Arm>>;

// Each file of arms adds its own.
void add_throughput_arms(Arms& arms);
void add_start_arms(Arms& arms);
void add_memory_arms(Arms& arms);
void add_guest_arms(Arms& arms);
void add_sandbox_arms(Arms& arms);
void add_spawn_arms(Arms& arms);

Arms all_arms();

// Names of measured values that several files use.
inline constexpr char cpu_per_request[] = "cpu_us_per_request";
// Of the slices: near what a machine without neighbours would show, for neighbours only add.
inline constexpr char cpu_per_request_best_tenth[] = "cpu_us_per_request_best_tenth";
inline constexpr char server_busy[] = "server_busy";  // CPU time over wall time of the server's cores, 0..1

}  // namespace tollgate::bench
