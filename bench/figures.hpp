// The promises: which measured figure must stay below or above what. The tables "How fast" of the issues, as
// data.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/arm.hpp"
#include "bench/statistics.hpp"

namespace tollgate::bench {

// How a figure comes from the measurements of one block.
enum class Derive {
  value,       // what arm `a` measured
  ratio,       // a / b
  difference,  // a - b
};

// On which side of the limits the promise lies.
enum class Bound { at_most, at_least };

struct Figure {
  std::string_view text;
  Derive derive;
  std::string_view a;
  std::string_view b;      // "" with Derive::value
  std::string_view value;  // which of the measured values
  std::string_view unit;   // "" for a ratio
  double must;
  double aim;
  Bound bound = Bound::at_most;
};

// "aim reached", "must reached" or "MISSED".
std::string_view verdict(const Figure& figure, double value);

std::span<const Figure> all_figures();

// Results by arm, one per block; a block in which an arm failed has an empty measurement.
using Results = std::map<std::string, std::vector<Measurement>>;

// Over the blocks in which all it needs was measured; nullopt when there is none.
std::optional<Spread> figure_value(const Figure& figure, const Results& results);
// The same of each arm's best tenth of slices, for figures of CPU per request: what a quieter machine would
// show. No verdict rests on it.
std::optional<Spread> figure_of_best_tenth(const Figure& figure, const Results& results);

}  // namespace tollgate::bench
