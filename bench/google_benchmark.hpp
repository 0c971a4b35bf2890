// Reads what a Google Benchmark program prints with --benchmark_format=json.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::bench {

// Of one benchmark: an entry per repetition, each the mean of its iterations.
struct BenchmarkTime {
  std::vector<double> cpu_ns;
  std::vector<double> wall_ns;
};

// By name as the program prints it. Throws when the text is not such a report, or with its own words when one
// of the benchmarks could not be run.
using BenchmarkTimes = std::map<std::string, BenchmarkTime>;
BenchmarkTimes read_benchmark_times(std::string_view json);

}  // namespace tollgate::bench
