#include "base/interval_clock.hpp"

#include <fstream>
#include <string>

namespace tollgate {
namespace {

constexpr std::chrono::milliseconds settling_time{100};

bool kernel_counts_by_tsc() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return file >> source && source == "tsc";
}

}  // namespace

IntervalClock::IntervalClock() {
#if defined(__x86_64__)
  counts_ = kernel_counts_by_tsc();
#endif
  settled_ = !counts_;
  made_at_ = std::chrono::steady_clock::now();
  made_ = now();
}

// How long a count is, from how many there were since this clock was made; more exactly as time goes on.
void IntervalClock::settle() {
  const std::chrono::nanoseconds passed = std::chrono::steady_clock::now() - made_at_;
  const auto counted = static_cast<std::uint64_t>(now()) - static_cast<std::uint64_t>(made_);
  if (counted == 0) return;
  nanoseconds_each_ = static_cast<double>(passed.count()) / static_cast<double>(counted);
  settled_ = passed >= settling_time;
}

}  // namespace tollgate
