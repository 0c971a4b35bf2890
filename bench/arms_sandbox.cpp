// The sandbox alone, without HTTP: what sandbox_bench (src/sandbox/wasmtime/run_bench.cpp) measures, run
// beside the other arms.
#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/google_benchmark.hpp"
#include "bench/statistics.hpp"

namespace tollgate::bench {
namespace {

constexpr std::chrono::minutes benchmark_max{5};

// Runs those that `filter` names, interleaved at random; "/" separates their arguments.
BenchmarkTimes run_sandbox_bench(const Context& context, const Cores& cores, const std::string& filter) {
  const Folder folder;
  ChildProcess bench({context.programs.sandbox_bench, "--benchmark_filter=^(" + filter + ")$",
                      "--benchmark_format=json", "--benchmark_enable_random_interleaving=true",
                      fmt::format("--benchmark_repetitions={}", context.effort.benchmark_repetitions),
                      fmt::format("--benchmark_min_time={}", context.effort.benchmark_seconds)},
                     cores, folder.path("sandbox_bench.err"));
  const std::string json = bench.read_all(benchmark_max);
  if (bench.wait() != 0) throw std::runtime_error("sandbox_bench failed: " + bench.errors());
  return read_benchmark_times(json);
}

std::optional<std::string> missing_bench(const Context& context) {
  if (::access(context.programs.sandbox_bench.c_str(), X_OK) == 0) return std::nullopt;
  return fmt::format("there is no {}: run ./dev build", context.programs.sandbox_bench);
}

// A fresh sandbox of ours beside the engine's pooling allocator as stock hosts set it up, and the load of a
// program.
class SandboxAloneArm final : public WholeArm {
 public:
  SandboxAloneArm()
      : WholeArm("sandbox-alone",
                 "a request's sandbox without HTTP, over the engine's pooling default; a load") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    return missing_bench(context);
  }

  Measurement run(const Context& context) override {
    const BenchmarkTimes times =
        run_sandbox_bench(context, context.placement.server,
                          "(fresh_guest|pooling_default)/(c|rust)/environment:0|load_of_a_compiled_program");
    Measurement measured{{"load_us", median(times.at("load_of_a_compiled_program").wall_ns) / 1e3}};
    for (const char* const language : {"c", "rust"}) {
      const double fresh = median(times.at(fmt::format("fresh_guest/{}/environment:0", language)).cpu_ns);
      const double pooling =
          median(times.at(fmt::format("pooling_default/{}/environment:0", language)).cpu_ns);
      measured[fmt::format("{}_us", language)] = fresh / 1e3;
      measured[fmt::format("{}_pooling_us", language)] = pooling / 1e3;
      measured[fmt::format("{}_over_pooling", language)] = fresh / pooling;
    }
    return measured;
  }
};

class SandboxProcessesArm final : public WholeArm {
 public:
  SandboxProcessesArm()
      : WholeArm("sandbox-processes", "a Rust guest's sandbox without HTTP, one process and three at once") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (context.placement.all.size() < processes) return "needs three cores";
    return missing_bench(context);
  }

  Measurement run(const Context& context) override {
    const Cores& all = context.placement.all;
    const Cores three(all.end() - processes, all.end());
    const BenchmarkTimes times =
        run_sandbox_bench(context, three, "fresh_guest_in_processes/sandboxes:[13]/spinners:[02]");
    const auto cpu_us = [&times](const char* arguments) {
      return median(times.at(fmt::format("fresh_guest_in_processes/{}", arguments)).cpu_ns) / 1e3;
    };
    const double one = cpu_us("sandboxes:1/spinners:0");
    const double one_beside_spinners = cpu_us("sandboxes:1/spinners:2");
    const double three_at_once = cpu_us("sandboxes:3/spinners:0");
    // What the other two take by using their cores at all is in the first ratio, not in the second.
    return {{"one_process_us", one},
            {"one_process_beside_two_that_spin_us", one_beside_spinners},
            {"three_processes_us", three_at_once},
            {"three_over_one", three_at_once / one},
            {"three_over_one_beside_two_that_spin", three_at_once / one_beside_spinners}};
  }

 private:
  static constexpr std::size_t processes = 3;
};

}  // namespace

void add_sandbox_arms(Arms& arms) {
  arms.push_back(std::make_unique<SandboxAloneArm>());
  arms.push_back(std::make_unique<SandboxProcessesArm>());
}

}  // namespace tollgate::bench
