#include "gateway/config/config_error.hpp"

#include <algorithm>

namespace tollgate::gateway {

std::string ConfigError::message() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  text += ": ";
  if (!key.empty()) text += key + ": ";
  text += "found " + found + ", expected " + expected;
  // One error is one line, whatever the file's keys hold.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      '?');
  return text;
}

}  // namespace tollgate::gateway
