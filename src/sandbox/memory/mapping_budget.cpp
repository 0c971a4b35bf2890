#include "sandbox/memory/mapping_budget.hpp"

#include <fstream>

namespace tollgate::sandbox {

std::uint32_t read_kernel_mappings() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::uint32_t count = 0;
  return file >> count ? count : kernel_mappings_usual;
}

}  // namespace tollgate::sandbox
