// Of few numbers: medians and ranges, no assumption about how they are distributed.
#pragma once

#include <vector>

namespace tollgate::bench {

// Linear interpolation between the two nearest ranks; `values` need not be sorted and must not be empty.
double quantile(std::vector<double> values, double fraction);
double median(const std::vector<double>& values);

struct Spread {
  double median = 0;
  double lowest = 0;
  double highest = 0;
};
Spread spread(const std::vector<double>& values);

}  // namespace tollgate::bench
