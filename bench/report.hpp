// From results to what a person reads and to what a program reads.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/figures.hpp"

namespace tollgate::bench {

struct Run {
  std::uint64_t seed = 0;
  unsigned blocks = 0;
  std::string version;                        // of tollgate
  std::string machine;                        // processor, kernel, cores
  std::map<std::string, std::string> abouts;  // by arm
  Results results;
  std::map<std::string, std::string> skipped;   // arm and reason
  std::map<std::string, std::string> failures;  // arm and the last reason
};

// Below this share of its core a server was waiting for its client: its CPU per request is marked.
inline constexpr double busy_enough = 0.95;

std::string text_report(const Run& run);
std::string json_report(const Run& run);

}  // namespace tollgate::bench
