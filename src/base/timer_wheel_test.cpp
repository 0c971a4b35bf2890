#include "base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace tollgate {
namespace {

using namespace std::chrono_literals;

struct Entry {
  explicit Entry(int& fired_count)
      : fired(fired_count), deadline([](void* self) { ++static_cast<Entry*>(self)->fired; }, this) {}
  int& fired;
  TimerWheel::Deadline deadline;
};

class Wheel : public ::testing::Test {
 protected:
  EventLoop loop;
  TimerWheel wheel{loop};
  SteadyTime start = std::chrono::steady_clock::now();
  int fired = 0;
};

TEST_F(Wheel, fires_once_when_the_time_has_come_and_not_before) {
  Entry entry(fired);
  wheel.arm(entry.deadline, start + 1s);
  wheel.expire_until(start + 999ms);
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(entry.deadline.armed());
  wheel.expire_until(start + 1s + 2 * TimerWheel::tick);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(entry.deadline.armed());
  wheel.expire_until(start + 10s);
  EXPECT_EQ(fired, 1);
}

TEST_F(Wheel, forgets_what_was_disarmed_moved_or_destroyed) {
  Entry entry(fired);
  wheel.arm(entry.deadline, start + 50ms);
  entry.deadline.disarm();
  wheel.expire_until(start + 1s);
  EXPECT_EQ(fired, 0);
  wheel.arm(entry.deadline, start + 2s);
  wheel.arm(entry.deadline, start + 5s);
  wheel.expire_until(start + 3s);
  EXPECT_EQ(fired, 0);
  wheel.expire_until(start + 6s);
  EXPECT_EQ(fired, 1);
  {
    Entry gone(fired);
    wheel.arm(gone.deadline, start + 7s);
  }
  wheel.expire_until(start + 8s);
  EXPECT_EQ(fired, 1);
}

TEST_F(Wheel, fires_what_is_already_past_at_the_next_tick) {
  Entry entry(fired);
  wheel.expire_until(start + 5s);
  wheel.arm(entry.deadline, start);
  EXPECT_EQ(fired, 0);
  wheel.expire_until(start + 5s + 2 * TimerWheel::tick);
  EXPECT_EQ(fired, 1);
}

TEST_F(Wheel, reaches_from_ticks_to_days) {
  for (const SteadyTime::duration after : std::initializer_list<SteadyTime::duration>{
           10ms, 630ms, 640ms, 650ms, 40950ms, 40960ms, 41s, 3600s, 24h, 24h * 400}) {
    Entry entry(fired);
    const int before = fired;
    wheel.arm(entry.deadline, start + after);
    wheel.expire_until(start + after - TimerWheel::tick);
    EXPECT_EQ(fired, before) << after.count();
    wheel.expire_until(start + after + 2 * TimerWheel::tick);
    EXPECT_EQ(fired, before + 1) << after.count();
    start += after + 2 * TimerWheel::tick;
  }
}

TEST_F(Wheel, agrees_with_a_sorted_list_over_random_use) {
  std::mt19937 random(7);
  std::deque<Entry> entries;
  std::vector<int> counts(200, 0);
  std::vector<SteadyTime> due(200);
  for (int& count : counts) entries.emplace_back(count);
  SteadyTime now = start;
  for (int step = 0; step < 20000; ++step) {
    const std::size_t i = random() % entries.size();
    if (random() % 4 == 0) {
      entries[i].deadline.disarm();
    } else {
      due[i] = now + std::chrono::milliseconds(random() % (random() % 8 == 0 ? 200'000 : 2'000));
      wheel.arm(entries[i].deadline, due[i]);
    }
    counts[i] = 0;
    now += std::chrono::milliseconds(random() % 40);
    wheel.expire_until(now);
    for (std::size_t k = 0; k < entries.size(); ++k) {
      if (entries[k].deadline.armed()) {
        ASSERT_GT(due[k] + 2 * TimerWheel::tick, now);
      } else {
        ASSERT_TRUE(counts[k] == 0 || due[k] <= now);
        ASSERT_LE(counts[k], 1);
      }
    }
  }
}

TEST_F(Wheel, a_callback_may_arm_itself_and_disarm_others) {
  struct Periodic {
    TimerWheel& wheel;
    SteadyTime next;
    int rounds = 0;
    TimerWheel::Deadline* other = nullptr;
    TimerWheel::Deadline deadline{[](void* self) {
                                    auto& me = *static_cast<Periodic*>(self);
                                    ++me.rounds;
                                    me.other->disarm();
                                    me.next += 100ms;
                                    me.wheel.arm(me.deadline, me.next);
                                  },
                                  this};
  };
  Entry other(fired);
  Periodic periodic{wheel, start + 100ms};
  periodic.other = &other.deadline;
  wheel.arm(other.deadline, start + 100ms);
  wheel.arm(periodic.deadline, start + 100ms);  // linked last, fired first
  for (int i = 1; i <= 10; ++i) wheel.expire_until(start + i * 100ms + 2 * TimerWheel::tick);
  EXPECT_EQ(periodic.rounds, 10);
  EXPECT_EQ(fired, 0);
  periodic.deadline.disarm();
}

TEST_F(Wheel, wakes_the_loop_by_itself) {
  Entry entry(fired);
  wheel.arm_after(entry.deadline, 30ms);
  loop.run_for(2s);
  EXPECT_EQ(fired, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms);
}

TEST_F(Wheel, arming_later_ones_does_not_touch_the_timer) {
  Entry first(fired);
  Entry later(fired);
  wheel.arm(first.deadline, start + 200ms);
  const auto wakes = wheel.wakes_at();
  for (int i = 0; i < 1000; ++i) wheel.arm(later.deadline, start + 5s + i * 1ms);
  EXPECT_EQ(wheel.wakes_at(), wakes);
}

}  // namespace
}  // namespace tollgate
