#include "gateway/config_error.hpp"

namespace tollgate::gateway {

std::string ConfigError::message() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  text += ": ";
  if (!key.empty()) text += key + ": ";
  return text + "found " + found + ", expected " + expected;
}

}  // namespace tollgate::gateway
