#include "sandbox/epoch_ticker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "tests/support/eventually.hpp"

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
  static void spin_for(std::chrono::nanoseconds time) {
    const auto limit = Clock::now() + time;
    while (Clock::now() < limit) {
    }
  }

  std::atomic<int> ticks_ = 0;
  std::unique_ptr<EpochTicker> ticker_;
};

TEST_F(EpochTickerTest, does_not_tick_before_a_guest_is_entered) {
  spin_for(5 * ticker_->first_slice_max());
  EXPECT_FALSE(ticker_->precise());
  EXPECT_EQ(ticks_, 0);
}

TEST_F(EpochTickerTest, does_not_tick_between_guests_that_were_brief) {
  for (int i = 0; i < 5; ++i) {
    {
      const EpochTicker::Slice slice(*ticker_);
    }
    spin_for(ticker_->first_slice_max());
  }
  // The kernel may look at the clock within those five moments, but not in all.
  EXPECT_LT(ticks_, 5);
}

TEST_F(EpochTickerTest, ticks_inside_a_slice_however_long_it_is) {
  const EpochTicker::Slice slice(*ticker_);
  wait_for_ticks(40);
  EXPECT_GE(ticks_, 40);
}

TEST_F(EpochTickerTest, ticks_on_between_the_slices_of_a_guest_that_was_cut_and_stops_after_the_last) {
  {
    const EpochTicker::Slice slice(*ticker_);
    wait_for_ticks(2);
  }
  ticker_->slice_was_cut();
  EXPECT_TRUE(ticker_->precise());
  const int cut_at = ticks_;
  wait_for_ticks(10);
  ticker_->slice_was_cut();  // again
  EXPECT_TRUE(tollgate::testing::eventually([this] { return !ticker_->precise(); }));
  const int stopped_at = ticks_;
  EXPECT_GE(stopped_at, cut_at + 20);
  spin_for(5 * ticker_->first_slice_max());
  EXPECT_EQ(ticks_, stopped_at);
  const EpochTicker::Slice slice(*ticker_);
  wait_for_ticks(2);
  EXPECT_GT(ticks_, stopped_at);
}

TEST_F(EpochTickerTest, may_be_destroyed_while_it_ticks) {
  {
    const EpochTicker::Slice slice(*ticker_);
  }
  ticker_->slice_was_cut();
  EXPECT_TRUE(ticker_->precise());
  const auto most = 5 * ticker_->first_slice_max();
  ticker_.reset();
  const int last = ticks_;
  spin_for(most);
  EXPECT_EQ(ticks_, last);
}

}  // namespace
}  // namespace tollgate::sandbox
