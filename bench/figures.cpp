#include "bench/figures.hpp"

namespace tollgate::bench {
namespace {

constexpr std::string_view cpu = cpu_per_request;

constexpr Figure figures[] = {
    {"native hello / nginx return 200, CPU per request", Derive::ratio, "native-hello", "nginx-hello", cpu,
     "", 1.1, 0.8},
    {"proxy / nginx proxy_pass, CPU per request", Derive::ratio, "proxy", "nginx-proxy", cpu, "", 1.0, 0.8},
    {"connection per request / nginx, CPU per request", Derive::ratio, "native-hello-close",
     "nginx-hello-close", cpu, "", 1.1, 0.9},
    {"3 workers / 1 worker, CPU per request", Derive::ratio, "three-workers", "one-worker", cpu, "", 1.15,
     1.0},
    {"exec to first 200, native route", Derive::value, "start-native", "", "first_200_ms", "ms", 6, 3},
    {"PSS at rest, supervisor and one worker", Derive::value, "memory-at-rest", "", "pss_mb", "MB", 8, 4},
    {"small C guest - native hello, CPU per request", Derive::difference, "guest-c", "native-hello-post", cpu,
     "us", 1.7, 1.0},
    {"Rust std guest - native hello, CPU per request", Derive::difference, "guest-rust", "native-hello-post",
     cpu, "us", 2.8, 1.5},
    {"Rust std guest / nginx return 200, CPU per request", Derive::ratio, "guest-rust", "nginx-hello", cpu,
     "", 1.5, 1.0},
    {"sandbox alone / pooling default, C", Derive::value, "sandbox-alone", "", "c_over_pooling", "", 1.0 / 5,
     1.0 / 8},
    {"sandbox alone / pooling default, Rust", Derive::value, "sandbox-alone", "", "rust_over_pooling", "",
     1.0 / 7, 1.0 / 12},
    {"3 processes / 1, sandbox alone", Derive::value, "sandbox-processes", "", "three_over_one", "", 1.1,
     1.0},
    {"load of a cached program", Derive::value, "sandbox-alone", "", "load_us", "us", 100, 42},
    {"C guest with 1 MiB of data / without", Derive::ratio, "guest-c-1mib", "guest-c", cpu, "", 1.2, 1.05},
    {"exec to first 200, cached module - native", Derive::difference, "start-guest", "start-native",
     "first_200_ms", "ms", 1.5, 0.6},
    {"container start to first 200 / bare docker run", Derive::value, "start-container", "",
     "first_200_over_bare_run", "", 1.05, 1.05},
    {"image of the gateway", Derive::value, "image-size", "", "image_mb", "MB", 15, 8},
    {"private memory per further program", Derive::value, "memory-per-program", "", "private_kb_per_program",
     "KB", 16, 12},
    {"benign p99 beside 2 loops - quiet", Derive::value, "fairness", "", "beside_2_p99_ms_over_quiet", "ms",
     3, 1.2},
    {"benign p99 beside 32 loops - quiet", Derive::value, "fairness", "", "beside_32_p99_ms_over_quiet", "ms",
     3, 1.2},
    {"benign max beside 2 loops - quiet", Derive::value, "fairness", "", "beside_2_max_ms_over_quiet", "ms",
     15, 15},
    {"benign max beside 32 loops - quiet", Derive::value, "fairness", "", "beside_32_max_ms_over_quiet", "ms",
     15, 15},
    {"guests asleep for 1 s: all done", Derive::value, "sleepers", "", "all_done_s", "s", 1.5, 1.1},
    {"guests asleep for 1 s: private memory each", Derive::value, "sleepers", "", "private_kb_each", "KB", 64,
     32},
    {"SHA-256 chain, C guest / scalar native", Derive::value, "sha256-c", "", "guest_over_native", "", 1.4,
     1.15},
    {"SHA-256 chain, Rust guest / scalar native", Derive::value, "sha256-rust", "", "guest_over_native", "",
     1.4, 1.15},
    {"spawn route (static echo) / posix_spawn, CPU", Derive::value, "spawn-echo", "", "cpu_over_posix_spawn",
     "", 1.15, 1.05},
    {"spawn route (cat) / posix_spawn, CPU", Derive::value, "spawn-cat", "", "cpu_over_posix_spawn", "", 1.15,
     1.05},
    {"spawn route, requests/s / (cores / cost)", Derive::value, "spawn-all-cores", "",
     "share_of_cores_over_cost", "", 0.85, 0.95, Bound::at_least},
    {"wasmtime run route / the study's design", Derive::value, "spawn-wasmtime", "", "over_study", "", 3, 3,
     Bound::at_least},
};

std::optional<double> measured(const Results& results, std::string_view arm, std::string_view value,
                               std::size_t block) {
  const auto blocks = results.find(std::string(arm));
  if (blocks == results.end() || block >= blocks->second.size()) return std::nullopt;
  const auto found = blocks->second[block].find(std::string(value));
  if (found == blocks->second[block].end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::span<const Figure> all_figures() {
  return figures;
}

std::string_view verdict(const Figure& figure, double value) {
  const auto within = [&](double limit) {
    return figure.bound == Bound::at_most ? value <= limit : value >= limit;
  };
  return within(figure.aim) ? "aim reached" : within(figure.must) ? "must reached" : "MISSED";
}

std::optional<Spread> figure_value(const Figure& figure, const Results& results) {
  const auto blocks = results.find(std::string(figure.a));
  if (blocks == results.end()) return std::nullopt;
  std::vector<double> values;
  for (std::size_t block = 0; block < blocks->second.size(); ++block) {
    const auto a = measured(results, figure.a, figure.value, block);
    const auto b = figure.derive == Derive::value ? a : measured(results, figure.b, figure.value, block);
    if (!a || !b) continue;
    values.push_back(figure.derive == Derive::value   ? *a
                     : figure.derive == Derive::ratio ? *a / *b
                                                      : *a - *b);
  }
  if (values.empty()) return std::nullopt;
  return spread(values);
}

std::optional<Spread> figure_of_best_tenth(const Figure& figure, const Results& results) {
  if (figure.value != cpu_per_request) return std::nullopt;
  Figure best = figure;
  best.value = cpu_per_request_best_tenth;
  return figure_value(best, results);
}

}  // namespace tollgate::bench
