// Starts tollgate and nginx side by side, loads each, and prints what each request cost.
// docs/benchmarking.md.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/report.hpp"
#include "bench/runner.hpp"

namespace tollgate::bench {
namespace {

constexpr unsigned blocks_full = 5;

struct Options {
  bool quick = false;
  bool list = false;
  std::vector<std::string> arms;
  unsigned blocks = 0;  // 0: as the effort asks
  std::uint64_t seed = 1;
  std::string json_path;
  std::string tollgate = TOLLGATE_BINARY;
  std::string sandbox_bench = TOLLGATE_SANDBOX_BENCH;
  std::string guests = TOLLGATE_SOURCE_DIR "/guests/out";
};

Programs find_programs(const Options& options) {
  Programs programs{.tollgate = options.tollgate,
                    .sandbox_bench = options.sandbox_bench,
                    .nginx = find_program("nginx"),
                    .guests = options.guests,
                    .own_guests = TOLLGATE_SOURCE_DIR "/bench/guests"};
  if (::access(programs.tollgate.c_str(), X_OK) != 0) {
    throw std::runtime_error("there is no " + programs.tollgate + ": run ./dev build");
  }
  if (programs.nginx.empty()) {
    throw std::runtime_error("nginx is missing: apt-get install nginx-light (./dev bench does it)");
  }
  return programs;
}

Arms chosen_arms(const Options& options) {
  Arms arms = all_arms();
  if (options.arms.empty()) return arms;
  for (const std::string& name : options.arms) {
    if (std::none_of(arms.begin(), arms.end(), [&name](const auto& arm) { return arm->name() == name; })) {
      throw std::runtime_error("there is no arm " + name + ": see --list");
    }
  }
  std::erase_if(arms, [&options](const auto& arm) {
    return std::find(options.arms.begin(), options.arms.end(), arm->name()) == options.arms.end();
  });
  return arms;
}

int run_benchmark(const Options& options) {
  Context context{.programs = find_programs(options),
                  .placement = Placement::of_this_machine(),
                  .effort = options.quick ? Effort::quick() : Effort::full()};
  prefer_this_session();
  pin_to(context.placement.client);
  const Arms arms = chosen_arms(options);
  const unsigned blocks = options.blocks != 0 ? options.blocks : options.quick ? 1 : blocks_full;
  const Run run = run_blocks(arms, context, {.blocks = blocks, .seed = options.seed});
  fmt::print("{}", text_report(run));
  if (!options.json_path.empty()) std::ofstream(options.json_path) << json_report(run);
  return run.failures.empty() ? 0 : 1;
}

// A session of its own can only be made by a process that leads no group, as one started from a shell does:
// so the benchmark is a child, and what ends us ends it.
int run_in_child(const Options& options) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit([&options] {
        const int code = run_benchmark(options);
        std::fflush(nullptr);
        return code;
      }());
    } catch (const std::exception& error) {
      fmt::print(stderr, "tollgate_bench: {}\n", error.what());
      ::_exit(2);
    }
  }
  static volatile pid_t forward_to = child;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    ::signal(signal, [](int number) { ::kill(forward_to, number); });
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int list() {
  for (const auto& arm : all_arms()) fmt::print("{:<20}{}\n", arm->name(), arm->about());
  return 0;
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) {
  using namespace tollgate::bench;
  Options options;
  CLI::App app{"tollgate and nginx side by side: CPU per request, latency, start, memory, fairness"};
  app.add_flag("--quick", options.quick, "One short block that only shows that everything works");
  app.add_flag("--list", options.list, "Name the arms and end");
  app.add_option("--arms", options.arms, "Only these, separated by commas")->delimiter(',');
  app.add_option("--blocks", options.blocks,
                 "Blocks; each measures every arm once, in random order (default 5)");
  app.add_option("--seed", options.seed, "Seed of that order")->capture_default_str();
  app.add_option("--json", options.json_path, "Write all measurements to this file");
  app.add_option("--tollgate", options.tollgate, "The program to measure")->capture_default_str();
  app.add_option("--guests", options.guests, "Folder of built guests")->capture_default_str();
  app.footer(
      "Examples:\n  ./dev bench\n  ./dev bench --arms native-hello,nginx-hello --blocks 3\n"
      "  ./dev bench --quick --json result.json");
  CLI11_PARSE(app, argc, argv);
  return options.list ? list() : run_in_child(options);
}
