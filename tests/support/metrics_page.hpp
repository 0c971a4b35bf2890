// The metrics of a running gateway, read as strictly as check_metrics.py can.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tollgate::testing {

using Metrics = std::map<std::string, double>;  // "name{label=value,...}", labels in the order of their names

// Fails the test, and gives what could be read, when the page breaks a rule of its format.
Metrics read_metrics(std::uint16_t admin_port);
Metrics read_openmetrics(std::uint16_t admin_port);

// Reads again and again until the sample has at least that value; the last reading. Workers publish some
// numbers only every quarter of a second.
Metrics wait_for_metric(std::uint16_t admin_port, const std::string& sample, double at_least);

// 0 for a sample that is not there.
double value_of(const Metrics& metrics, const std::string& sample);

// Fails the test for each counter and histogram of `before` that is smaller or missing in `after`.
void expect_monotonic(const Metrics& before, const Metrics& after);

}  // namespace tollgate::testing
