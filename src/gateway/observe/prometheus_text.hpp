// Writes the Prometheus text exposition format 0.0.4, or OpenMetrics 1.0.0, which differ in little: how a
// counter's family is named, and the end mark. Families must be begun once each and samples follow their
// family.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/histogram.hpp"

namespace tollgate::gateway {

enum class Exposition : std::uint8_t { prometheus, openmetrics };

struct Label {
  std::string_view name;
  std::string_view value;  // UTF-8
};
using Labels = std::initializer_list<Label>;

class PrometheusText {
 public:
  explicit PrometheusText(Exposition format) : format_(format) {}

  // `name` of a counter without "_total".
  void counter_family(std::string_view name, std::string_view help);
  void gauge_family(std::string_view name, std::string_view help) { begin(name, "gauge", help); }
  void histogram_family(std::string_view name, std::string_view help) { begin(name, "histogram", help); }

  void counter(std::uint64_t value, Labels labels = {});
  void counter(double value, Labels labels = {});
  void gauge(std::uint64_t value, Labels labels = {});
  // In seconds, with a bucket for each power of two nanoseconds; `labels` must not be empty-named or "le".
  void histogram(const DurationTotals& nanoseconds, Labels labels = {});
  void histogram(const CountTotals& numbers, Labels labels = {});

  std::string finish() &&;

 private:
  void begin(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);
  template <class Totals>
  void buckets(const Totals& totals, double unit, Labels labels);

  Exposition format_;
  std::string family_;
  std::string text_;
};

}  // namespace tollgate::gateway
