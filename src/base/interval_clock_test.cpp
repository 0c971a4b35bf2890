#include "base/interval_clock.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// What the clock says of a sleep, over what the steady clock says of it.
double measured_over_true(IntervalClock& clock, milliseconds sleep) {
  const auto true_begin = steady_clock::now();
  const auto begin = clock.now();
  std::this_thread::sleep_for(sleep);
  const auto end = clock.now();
  const nanoseconds truly = steady_clock::now() - true_begin;
  return static_cast<double>(clock.between(begin, end).count()) / static_cast<double>(truly.count());
}

TEST(IntervalClock, agrees_with_the_steady_clock_at_once_and_later) {
  IntervalClock clock;
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(measured_over_true(clock, milliseconds(40)), 1.0, 0.02);
}

TEST(IntervalClock, tells_short_intervals_apart) {
  IntervalClock clock;
  std::this_thread::sleep_for(milliseconds(1));
  const auto first = clock.now();
  const auto second = clock.now();
  const nanoseconds apart = clock.between(first, second);
  EXPECT_GE(apart, nanoseconds(0));
  EXPECT_LT(apart, milliseconds(20));
  EXPECT_EQ(clock.between(first, first), nanoseconds(0));
}

}  // namespace
}  // namespace tollgate
