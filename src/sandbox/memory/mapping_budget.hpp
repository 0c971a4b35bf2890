// How many of the kernel's memory mappings a worker's sandboxes may use. The kernel gives a process
// vm.max_map_count of them (65,530) and then refuses mmap, mprotect and munmap alike; whoever counts refuses
// first, with a reason. A page whose protection differs from its neighbour's splits a mapping, so a hot set
// is counted in runs of pages, not in pages.
//
// Threads: one worker's. The fault handler takes from it, on the same thread.
#pragma once

#include <cstdint>

namespace tollgate::sandbox {

class MappingBudget {
 public:
  explicit MappingBudget(std::uint32_t mappings_max) : left_(mappings_max), max_(mappings_max) {}

  [[nodiscard]] bool take(std::int32_t mappings) {
    if (mappings > left_) return false;
    left_ -= mappings;
    return true;
  }
  void give(std::int32_t mappings) { left_ += mappings; }

  std::int64_t used() const { return max_ - left_; }

 private:
  std::int64_t left_;
  std::int64_t max_;
};

}  // namespace tollgate::sandbox
