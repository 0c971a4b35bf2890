#include "bench/runner.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>

#include "bench/child_process.hpp"

namespace tollgate::bench {
namespace {

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

class Runner {
 public:
  Runner(const Arms& arms, const Context& context, const RunPlan& plan)
      : context_(context), random_(plan.seed) {
    run_.seed = plan.seed;
    run_.blocks = plan.blocks;
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

}  // namespace

Run run_blocks(const Arms& arms, const Context& context, const RunPlan& plan) {
  return Runner(arms, context, plan).run();
}

}  // namespace tollgate::bench
