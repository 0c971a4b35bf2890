// New request ids: a random prefix per process and a counter, so that they are unique without a system call
// each.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tollgate::http {

class RequestIds {
 public:
  RequestIds();

  // 24 hexadecimal digits. Valid until the next call; copy it.
  std::string_view next();

 private:
  static constexpr std::size_t prefix_digits = 12;
  static constexpr std::size_t counter_digits = 12;
  std::array<char, prefix_digits + counter_digits> text_;
  std::uint64_t counter_;
};

}  // namespace tollgate::http
