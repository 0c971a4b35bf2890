#include "gateway/observe/prometheus_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tollgate::gateway {
namespace {

enum class Quotes : std::uint8_t { as_they_are, escaped };

void append_escaped(std::string& text, std::string_view bytes, Quotes quotes) {
  for (const char c : bytes) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && quotes == Quotes::escaped)) text += '\\';
    text += c;
  }
}

// Shortest decimal that reads back the same, and visibly not an integer: "4.0", "2.56e-07".
std::string canonical(double value) {
  std::string text = fmt::format("{}", value);
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) text += ".0";
  return text;
}

}  // namespace

void PrometheusText::begin(std::string_view name, std::string_view type, std::string_view help) {
  family_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} ", name);
  append_escaped(text_, help, format_ == Exposition::openmetrics ? Quotes::escaped : Quotes::as_they_are);
  fmt::format_to(std::back_inserter(text_), "\n# TYPE {} {}\n", name, type);
}

void PrometheusText::counter_family(std::string_view name, std::string_view help) {
  const std::string total = fmt::format("{}_total", name);
  begin(format_ == Exposition::openmetrics ? name : std::string_view(total), "counter", help);
  family_ = total;
}

void PrometheusText::sample(std::string_view suffix, Labels labels, std::string_view le,
                            std::string_view value) {
  text_ += family_;
  text_ += suffix;
  char separator = '{';
  const auto append = [&](std::string_view name, std::string_view label) {
    text_ += separator;
    text_ += name;
    text_ += "=\"";
    append_escaped(text_, label, Quotes::escaped);
    text_ += '"';
    separator = ',';
  };
  for (const Label& label : labels) append(label.name, label.value);
  if (!le.empty()) append("le", le);
  if (separator == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

void PrometheusText::counter(std::uint64_t value, Labels labels) {
  sample("", labels, "", fmt::format("{}", value));
}
void PrometheusText::counter(double value, Labels labels) {
  sample("", labels, "", canonical(value));
}
void PrometheusText::gauge(std::uint64_t value, Labels labels) {
  sample("", labels, "", fmt::format("{}", value));
}

// Cumulative, and only at powers of two: the finer buckets between them would quadruple the size of a scrape.
template <class Totals>
void PrometheusText::buckets(const Totals& totals, double unit, Labels labels) {
  constexpr std::size_t step = std::size_t{1} << Totals::Shape::parts_log2;
  std::uint64_t cumulative = 0;
  for (std::size_t bucket = 0; bucket < Totals::Shape::overflow; ++bucket) {
    cumulative += totals.counts[bucket];
    if (bucket % step != 0) continue;
    const double bound = static_cast<double>(Totals::Shape::upper_bound(bucket)) * unit;
    sample("_bucket", labels, canonical(bound), fmt::format("{}", cumulative));
  }
  const std::string count = fmt::format("{}", cumulative + totals.counts[Totals::Shape::overflow]);
  sample("_bucket", labels, "+Inf", count);
  sample("_sum", labels, "", canonical(static_cast<double>(totals.sum) * unit));
  sample("_count", labels, "", count);
}

void PrometheusText::histogram(const DurationTotals& nanoseconds, Labels labels) {
  buckets(nanoseconds, 1e-9, labels);
}
void PrometheusText::histogram(const CountTotals& numbers, Labels labels) {
  buckets(numbers, 1, labels);
}

std::string PrometheusText::finish() && {
  if (format_ == Exposition::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace tollgate::gateway
