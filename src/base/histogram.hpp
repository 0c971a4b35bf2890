// Log-linear histograms of fixed size: each power of two is cut into four equal buckets, so a bucket is at
// most a quarter wider than its lower bound, whatever the range. Nothing is allocated and nothing is
// configured, so two histograms of one shape can always be added up.
//
// Buckets are (lower, upper]: an upper bound is the `le` of a Prometheus bucket as it is.
//
// Histogram: recorded into by one thread, read at any time by others (base/counter.hpp), also in shared
// memory. HistogramTotals: a plain copy, to merge and to ask for quantiles.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/counter.hpp"

namespace tollgate {

// Values up to 2^Lowest share the first bucket, values above 2^Highest the last.
template <unsigned Lowest, unsigned Highest>
struct HistogramShape {
  static constexpr unsigned parts_log2 = 2;  // four buckets for each power of two
  static_assert(Lowest >= parts_log2 && Lowest < Highest && Highest < 64);

  static constexpr std::size_t buckets = ((Highest - Lowest) << parts_log2) + 2;
  static constexpr std::size_t overflow = buckets - 1;

  static constexpr std::size_t index(std::uint64_t value) {
    if (value <= std::uint64_t{1} << Lowest) return 0;
    if (value > std::uint64_t{1} << Highest) return overflow;
    const std::uint64_t below = value - 1;  // buckets include their upper bound
    const unsigned power = static_cast<unsigned>(std::bit_width(below)) - 1;
    const std::uint64_t part = (below >> (power - parts_log2)) & ((1u << parts_log2) - 1);
    return 1 + ((power - Lowest) << parts_log2) + part;
  }

  // Largest value of a bucket. The last has none: it answers with the largest number there is.
  static constexpr std::uint64_t upper_bound(std::size_t bucket) {
    if (bucket == 0) return std::uint64_t{1} << Lowest;
    if (bucket >= overflow) return UINT64_MAX;
    const unsigned power = Lowest + static_cast<unsigned>((bucket - 1) >> parts_log2);
    const std::uint64_t part = (bucket - 1) & ((1u << parts_log2) - 1);
    return (std::uint64_t{1} << power) + ((part + 1) << (power - parts_log2));
  }
};

template <unsigned Lowest, unsigned Highest>
struct HistogramTotals {
  using Shape = HistogramShape<Lowest, Highest>;

  std::array<std::uint64_t, Shape::buckets> counts{};
  std::uint64_t sum = 0;  // of the values themselves

  std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const std::uint64_t bucket : counts) total += bucket;
    return total;
  }

  HistogramTotals& operator+=(const HistogramTotals& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
    return *this;
  }

  // Upper bound of the bucket that holds the value of rank `fraction` (0..1); 0 when nothing was recorded.
  std::uint64_t quantile(double fraction) const {
    const std::uint64_t total = count();
    if (total == 0) return 0;
    const double rank = fraction * static_cast<double>(total);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      seen += counts[i];
      if (seen > 0 && static_cast<double>(seen) >= rank) return Shape::upper_bound(i);
    }
    return UINT64_MAX;
  }
};

template <unsigned Lowest, unsigned Highest>
class Histogram {
 public:
  using Shape = HistogramShape<Lowest, Highest>;
  using Totals = HistogramTotals<Lowest, Highest>;

  void record(std::uint64_t value) {
    counts_[Shape::index(value)].add();
    sum_.add(value);
  }

  // While the writer goes on, the copy may miss its last values; the count is that of the buckets, so the two
  // agree.
  Totals totals() const {
    Totals copy;
    for (std::size_t i = 0; i < copy.counts.size(); ++i) copy.counts[i] = counts_[i].get();
    copy.sum = sum_.get();
    return copy;
  }

 private:
  std::array<Counter, Shape::buckets> counts_;
  Counter sum_;
};

// Nanoseconds, told apart from 256 ns to 69 s: a sandbox takes half a microsecond, a slow upstream a minute.
using DurationHistogram = Histogram<8, 36>;
using DurationTotals = DurationHistogram::Totals;

// Pages or other small numbers, told apart from 4 to 65,536 (a whole 4 GiB memory has 2^20 pages of 4 KiB).
using CountHistogram = Histogram<2, 16>;
using CountTotals = CountHistogram::Totals;

}  // namespace tollgate
