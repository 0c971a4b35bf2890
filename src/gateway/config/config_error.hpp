// What is wrong with a configuration, one value per fault.
#pragma once

#include <string>
#include <vector>

namespace tollgate::gateway {

struct ConfigError {
  std::string file;
  int line = 0;          // 0: not a place in the file (a command-line argument, an unreadable file)
  std::string key;       // "route[2].limits.deadline"; may be empty
  std::string found;     // as quoted text, or "nothing"
  std::string expected;  // completes "expected ..."

  // `FILE:LINE: KEY: found FOUND, expected EXPECTED`
  std::string message() const;
};

using ConfigErrors = std::vector<ConfigError>;

}  // namespace tollgate::gateway
