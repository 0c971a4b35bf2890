// Starts tollgate and nginx side by side, loads each, and prints what each request cost.
// docs/benchmarking.md.
#include <fmt/format.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/report.hpp"

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

std::string machine() {
  utsname kernel{};
  ::uname(&kernel);
  std::string processor = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) == 0) processor = line.substr(line.find(':') + 2);
  }
  return fmt::format("{}, {} cores, Linux {}", processor, ::sysconf(_SC_NPROCESSORS_ONLN), kernel.release);
}

std::string version(const Programs& programs, const Context& context) {
  const Folder folder;
  ChildProcess tollgate({programs.tollgate, "--version"}, context.placement.client,
                        folder.path("version.err"));
  ChildProcess nginx({"/bin/sh", "-c", programs.nginx + " -v 2>&1"}, context.placement.client,
                     folder.path("nginx.err"));
  std::string text = tollgate.read_all(std::chrono::seconds(5)) + nginx.read_all(std::chrono::seconds(5));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// One run of the benchmark. Progress goes to stderr, so that stdout is the report alone.
class Runner {
 public:
  Runner(const Arms& arms, const Context& context, const Options& options)
      : context_(context), random_(options.seed) {
    run_.seed = options.seed;
    run_.blocks = options.blocks != 0 ? options.blocks : options.quick ? 1 : blocks_full;
    run_.version = version(context.programs, context);
    run_.machine = machine();
    for (const auto& arm : arms) {
      run_.abouts[arm->name()] = arm->about();
      if (const auto reason = arm->unavailable(context)) {
        run_.skipped[arm->name()] = *reason;
      } else if (auto* const sliced = dynamic_cast<SlicedArm*>(arm.get())) {
        sliced_.push_back(sliced);
      } else if (auto* const whole = dynamic_cast<WholeArm*>(arm.get())) {
        whole_.push_back(whole);
      }
    }
  }

  // In a block every arm is measured once, those in slices at one go.
  Run run() {
    for (unsigned block = 0; block < run_.blocks; ++block) {
      std::shuffle(whole_.begin(), whole_.end(), random_);  // no arm always runs after the same other
      const std::size_t sliced_at = random_() % (whole_.size() + 1);
      for (std::size_t i = 0; i <= whole_.size(); ++i) {
        if (i == sliced_at && !sliced_.empty()) {
          tell(block, fmt::format("{} arms in turns", sliced_.size()));
          take_turns();
        }
        if (i == whole_.size()) continue;
        WholeArm& arm = *whole_[i];
        tell(block, arm.name());
        Measurement measured;
        attempt(arm, [&] { measured = arm.run(context_); });
        run_.results[arm.name()].push_back(std::move(measured));
      }
    }
    return std::move(run_);
  }

 private:
  struct Turn {
    SlicedArm* arm;
    std::unique_ptr<SlicedArm::Slices> slices;
  };

  void take_turns() {
    std::vector<Turn> turns;
    for (SlicedArm* const arm : sliced_) {
      attempt(*arm, [&] { turns.push_back({arm, arm->begin(context_)}); });
    }
    for (auto left = context_.effort.window; left.count() > 0; left -= slice_duration) {
      std::shuffle(turns.begin(), turns.end(), random_);
      std::erase_if(turns, [this](Turn& turn) { return !attempt(*turn.arm, [&] { turn.slices->take(); }); });
    }
    std::map<SlicedArm*, Measurement> measured;
    for (const Turn& turn : turns) measured[turn.arm] = turn.slices->result();
    for (SlicedArm* const arm : sliced_) run_.results[arm->name()].push_back(measured[arm]);
  }

  // Whether it worked; otherwise the run keeps the reason.
  template <class Work>
  bool attempt(const Arm& arm, const Work& work) {
    try {
      work();
      return true;
    } catch (const std::exception& error) {
      std::string reason = error.what();
      while (!reason.empty() && reason.back() == '\n') reason.pop_back();
      fmt::print(stderr, "  {} failed: {}\n", arm.name(), reason);
      run_.failures[arm.name()] = std::move(reason);
      return false;
    }
  }

  void tell(unsigned block, const std::string& what) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began_).count();
    fmt::print(stderr, "[{:>4} s] block {}/{}: {}\n", seconds, block + 1, run_.blocks, what);
  }

  const Context& context_;
  std::mt19937_64 random_;
  std::vector<WholeArm*> whole_;
  std::vector<SlicedArm*> sliced_;
  Run run_;
  Clock::time_point began_ = Clock::now();
};

int run_benchmark(const Options& options) {
  Context context{.programs = find_programs(options),
                  .placement = Placement::of_this_machine(),
                  .effort = options.quick ? Effort::quick() : Effort::full()};
  prefer_this_session();
  pin_to(context.placement.client);
  const Arms arms = chosen_arms(options);
  const Run run = Runner(arms, context, options).run();
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
