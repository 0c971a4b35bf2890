#include "sandbox/epoch_ticker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>

namespace tollgate::sandbox {
namespace {

using Clock = std::chrono::steady_clock;

class EpochTickerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = EpochTicker::create(
        [](void* count) noexcept { static_cast<std::atomic<int>*>(count)->fetch_add(1); }, &ticks_);
    ASSERT_TRUE(made.has_value());
    ticker_ = std::move(*made);
  }

  // Until `ticks` more have come, at most for five seconds. Spins: sleeping restarts after signals anyway.
  void wait_for_ticks(int ticks) const {
    const int until = ticks_ + ticks;
    const auto limit = Clock::now() + std::chrono::seconds(5);
    while (ticks_ < until && Clock::now() < limit) {
    }
  }
  bool wait_until_disarmed() const {
    const auto limit = Clock::now() + std::chrono::seconds(5);
    while (ticker_->armed() && Clock::now() < limit) {
    }
    return !ticker_->armed();
  }

  std::atomic<int> ticks_ = 0;
  std::unique_ptr<EpochTicker> ticker_;
};

TEST_F(EpochTickerTest, does_not_tick_before_a_guest_is_entered) {
  const auto limit = Clock::now() + 10 * tick;
  while (Clock::now() < limit) {
  }
  EXPECT_FALSE(ticker_->armed());
  EXPECT_EQ(ticks_, 0);
}

TEST_F(EpochTickerTest, ticks_inside_a_slice_however_long_it_is) {
  const EpochTicker::Slice slice(*ticker_);
  wait_for_ticks(2 * static_cast<int>(idle_ticks_max));
  EXPECT_GE(ticks_, 2 * static_cast<int>(idle_ticks_max));
  EXPECT_TRUE(ticker_->armed());
}

TEST_F(EpochTickerTest, stops_by_itself_after_the_last_slice_and_starts_with_the_next) {
  {
    const EpochTicker::Slice slice(*ticker_);
  }
  EXPECT_TRUE(ticker_->armed());
  EXPECT_TRUE(wait_until_disarmed());
  const int stopped_at = ticks_;
  EXPECT_GE(stopped_at, static_cast<int>(idle_ticks_max));
  const EpochTicker::Slice slice(*ticker_);
  wait_for_ticks(1);
  EXPECT_GT(ticks_, stopped_at);
}

TEST_F(EpochTickerTest, may_be_destroyed_while_it_ticks) {
  {
    const EpochTicker::Slice slice(*ticker_);
  }
  ticker_.reset();
  const int last = ticks_;
  const auto limit = Clock::now() + 5 * tick;
  while (Clock::now() < limit) {
  }
  EXPECT_EQ(ticks_, last);
}

}  // namespace
}  // namespace tollgate::sandbox
