#include "bench/google_benchmark.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tollgate::bench {
namespace {

double nanoseconds_per(const std::string& unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  throw std::runtime_error("a benchmark counts in " + unit);
}

}  // namespace

BenchmarkTimes read_benchmark_times(std::string_view json) {
  const auto report = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (report.is_discarded() || !report.contains("benchmarks")) {
    throw std::runtime_error("no report of Google Benchmark");
  }
  BenchmarkTimes times;
  for (const auto& row : report["benchmarks"]) {
    const std::string name = row.at("run_name");
    if (row.value("error_occurred", false)) {
      throw std::runtime_error(name + ": " + row.value("error_message", "failed"));
    }
    if (row.at("run_type") != "iteration") continue;  // means and deviations of the repetitions
    const double unit_ns = nanoseconds_per(row.at("time_unit"));
    times[name].cpu_ns.push_back(row.at("cpu_time").get<double>() * unit_ns);
    times[name].wall_ns.push_back(row.at("real_time").get<double>() * unit_ns);
  }
  return times;
}

}  // namespace tollgate::bench
