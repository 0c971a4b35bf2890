#include "gateway/process/crash_policy.hpp"

#include <gtest/gtest.h>

#include "gateway/process/limits.hpp"

namespace tollgate::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RestartBackoff, the_first_five_crashes_cost_no_delay_and_the_sixth_does) {
  RestartBackoff backoff;
  SteadyTime now{};
  for (unsigned i = 0; i < crashes_before_backoff; ++i)
    EXPECT_EQ(backoff.crashed(now += seconds(1)).count(), 0);
  EXPECT_EQ(backoff.crashed(now += seconds(1)), backoff_first);
}

TEST(RestartBackoff, doubles_up_to_its_bound_while_crashes_go_on) {
  RestartBackoff backoff;
  SteadyTime now{};
  milliseconds delay{};
  milliseconds before{};
  for (int i = 0; i < 40; ++i) {
    before = delay;
    delay = backoff.crashed(now += delay + milliseconds(10));
  }
  EXPECT_EQ(before, backoff_max);
  EXPECT_EQ(delay, backoff_max);
}

TEST(RestartBackoff, rare_crashes_never_cost_a_delay) {
  RestartBackoff backoff;
  SteadyTime now{};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(backoff.crashed(now += seconds(3)).count(), 0);
}

TEST(RestartBackoff, forgets_after_a_quiet_time) {
  RestartBackoff backoff;
  SteadyTime now{};
  for (int i = 0; i < 8; ++i) backoff.crashed(now += milliseconds(10));
  EXPECT_EQ(backoff.crashed(now += seconds(60)).count(), 0);
}

TEST(Quarantine, the_third_crash_of_a_route_and_only_that_one_puts_it_away) {
  Quarantine quarantine;
  EXPECT_FALSE(quarantine.crashed(4));
  EXPECT_FALSE(quarantine.crashed(4));
  EXPECT_FALSE(quarantine.crashed(5));
  EXPECT_TRUE(quarantine.crashed(4));
  EXPECT_FALSE(quarantine.crashed(4));
}

TEST(Quarantine, a_reload_starts_counting_anew) {
  Quarantine quarantine;
  quarantine.crashed(4);
  quarantine.crashed(4);
  quarantine.lift();
  EXPECT_FALSE(quarantine.crashed(4));
}

}  // namespace
}  // namespace tollgate::gateway
