#include "base/histogram.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <thread>

namespace tollgate {
namespace {

using Shape = DurationHistogram::Shape;

TEST(Histogram, puts_each_bound_into_the_bucket_it_closes) {
  for (std::size_t bucket = 0; bucket < Shape::overflow; ++bucket) {
    const std::uint64_t bound = Shape::upper_bound(bucket);
    EXPECT_EQ(Shape::index(bound), bucket) << bound;
    EXPECT_EQ(Shape::index(bound + 1), bucket + 1) << bound;
  }
}

TEST(Histogram, has_bounds_that_grow_by_at_most_a_quarter) {
  for (std::size_t bucket = 1; bucket < Shape::overflow; ++bucket) {
    const std::uint64_t lower = Shape::upper_bound(bucket - 1);
    const std::uint64_t upper = Shape::upper_bound(bucket);
    EXPECT_GT(upper, lower);
    EXPECT_LE((upper - lower) * 4, lower);
  }
}

TEST(Histogram, keeps_the_smallest_and_the_largest_numbers) {
  EXPECT_EQ(Shape::index(0), 0u);
  EXPECT_EQ(Shape::index(256), 0u);
  EXPECT_EQ(Shape::index(257), 1u);
  EXPECT_EQ(Shape::index(UINT64_MAX), Shape::overflow);
}

TEST(Histogram, counts_and_sums_what_was_recorded) {
  DurationHistogram histogram;
  histogram.record(1'000);
  histogram.record(1'000);
  histogram.record(5'000'000);
  const DurationTotals totals = histogram.totals();
  EXPECT_EQ(totals.count(), 3u);
  EXPECT_EQ(totals.sum, 5'002'000u);
  EXPECT_EQ(totals.counts[Shape::index(1'000)], 2u);
}

TEST(Histogram, merges_by_adding) {
  DurationHistogram one;
  DurationHistogram two;
  one.record(300);
  two.record(300);
  two.record(70'000);
  DurationTotals all = one.totals();
  all += two.totals();
  EXPECT_EQ(all.count(), 3u);
  EXPECT_EQ(all.sum, 70'600u);
  EXPECT_EQ(all.counts[Shape::index(300)], 2u);
}

TEST(Histogram, answers_quantiles_within_a_quarter) {
  DurationHistogram histogram;
  for (std::uint64_t microseconds = 1; microseconds <= 1'000; ++microseconds)
    histogram.record(microseconds * 1'000);
  const DurationTotals totals = histogram.totals();
  EXPECT_GE(totals.quantile(0.5), 500'000u);
  EXPECT_LE(totals.quantile(0.5), 625'000u);
  EXPECT_GE(totals.quantile(0.99), 990'000u);
  EXPECT_LE(totals.quantile(0.99), 1'240'000u);
  EXPECT_EQ(DurationTotals{}.quantile(0.5), 0u);
}

TEST(Histogram, starts_empty_in_memory_of_zeros) {
  alignas(CountHistogram) std::byte memory[sizeof(CountHistogram)] = {};
  const auto* histogram = reinterpret_cast<const CountHistogram*>(memory);
  EXPECT_EQ(histogram->totals().count(), 0u);
}

TEST(Histogram, is_read_while_it_is_written) {
  DurationHistogram histogram;
  std::thread writer([&histogram] {
    for (int i = 0; i < 100'000; ++i) histogram.record(static_cast<std::uint64_t>(i));
  });
  std::uint64_t before = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t now = histogram.totals().count();
    EXPECT_GE(now, before);
    before = now;
  }
  writer.join();
  EXPECT_EQ(histogram.totals().count(), 100'000u);
}

}  // namespace
}  // namespace tollgate
