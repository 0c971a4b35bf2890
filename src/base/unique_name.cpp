#include "base/unique_name.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdint>

namespace tollgate {

std::string unique_name() {
  std::uint64_t random = 0;
  (void)::getrandom(&random, sizeof random, 0);  // so few bytes are always given whole
  return fmt::format("{:016x}", random);
}

}  // namespace tollgate
