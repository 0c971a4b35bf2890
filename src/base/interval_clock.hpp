// How long something took, for less than std::chrono::steady_clock asks: a sandbox's life is looked at four
// times, and a look through clock_gettime(2) takes longer than some of its steps. The processor's time stamp
// counter is read where the kernel itself keeps time by it (invariant, and the same on all cores); elsewhere
// the steady clock is.
//
// Its instants are its own: only differences mean something, good to about 0.01 % once it has run for 100 ms.
//
// Threads: one thread for each clock.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace tollgate {

class IntervalClock {
 public:
  enum class Instant : std::uint64_t {};

  IntervalClock();

  Instant now() const {
#if defined(__x86_64__)
    if (counts_) return Instant{__rdtsc()};
#endif
    return Instant{static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count())};
  }

  std::chrono::nanoseconds between(Instant begin, Instant end) {
    if (!settled_) settle();
    const auto distance =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin));
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(distance) * nanoseconds_each_));
  }

 private:
  void settle();

  bool counts_ = false;
  bool settled_ = false;
  double nanoseconds_each_ = 1;
  std::chrono::steady_clock::time_point made_at_;
  Instant made_;
};

}  // namespace tollgate
