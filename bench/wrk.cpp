#include "bench/wrk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tollgate::bench {
namespace {

constexpr std::string_view mark = "tollgate-bench ";

// Only `done` is defined: a script without `request` costs wrk nothing per request.
constexpr char script[] = R"(
wrk.method = "{method}"
wrk.body = {body}
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('tollgate-bench {{"requests":%d,"errors":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d}}\n',
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
)";

}  // namespace

LoadResult parse_wrk(const std::string& output) {
  const std::size_t start = output.find(mark);
  if (start == std::string::npos) throw std::runtime_error("wrk did not report: " + output);
  const std::size_t end = output.find('\n', start);
  const auto json = nlohmann::json::parse(output.substr(start + mark.size(), end - start - mark.size()));
  return {.requests = json["requests"],
          .errors = json["errors"],
          .seconds = json["duration_us"].get<double>() / 1e6,
          .p50_us = json["p50_us"],
          .p99_us = json["p99_us"]};
}

LoadResult run_wrk(const Programs& programs, const Folder& folder, const Cores& cores, std::uint16_t port,
                   const Load& load) {
  const auto seconds = std::max<long>(std::chrono::ceil<std::chrono::seconds>(load.duration).count(), 1);
  const std::size_t threads = std::min<std::size_t>(cores.size(), load.connections);
  const std::string file = folder.write(
      "wrk.lua", fmt::format(script, fmt::arg("method", load.body.empty() ? "GET" : "POST"),
                             fmt::arg("body", load.body.empty() ? "nil" : '"' + load.body + '"')));
  std::vector<std::string> command{programs.wrk,
                                   "-t",
                                   std::to_string(threads),
                                   "-c",
                                   std::to_string(load.connections),
                                   "-d",
                                   fmt::format("{}s", seconds),
                                   "-s",
                                   file};
  if (load.reuse == Load::Reuse::connection_per_request) {
    command.insert(command.end(), {"-H", "Connection: close"});
  }
  command.push_back(fmt::format("http://127.0.0.1:{}{}", port, load.target));
  ChildProcess wrk(command, cores, folder.path("wrk.err"));
  const std::string output = wrk.read_all(std::chrono::seconds(seconds + 30));
  if (const int code = wrk.wait(); code != 0) {
    throw std::runtime_error(fmt::format("wrk failed with {}: {}{}", code, output, wrk.errors()));
  }
  return parse_wrk(output);
}

}  // namespace tollgate::bench
