// How many of the kernel's memory mappings a worker's programs and sandboxes may use. The kernel gives a
// process vm.max_map_count of them (65,530 unless it is set) and then refuses mmap, mprotect and munmap
// alike; whoever counts refuses first, with a reason. A page whose protection differs from its neighbour's
// splits a mapping, so a hot set is counted in runs of pages, not in pages.
//
// Threads: one worker's. The fault handler takes from it, on the same thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tollgate::sandbox {

// vm.max_map_count where the kernel was not told another, and where it cannot be read.
inline constexpr std::uint32_t kernel_mappings_usual = 65'530;
// For everything else in the process: heap, buffers, libraries. Half of what there is if that is less.
inline constexpr std::uint32_t mappings_kept_back = 5'530;

// A loaded program's: its code in three pieces of different protection, and the view of its image.
inline constexpr std::int32_t program_mappings = 4;

constexpr std::uint32_t mappings_for_sandboxes(std::uint32_t kernel_mappings) {
  return kernel_mappings - std::min(mappings_kept_back, kernel_mappings / 2);
}

// vm.max_map_count, now.
std::uint32_t read_kernel_mappings();

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
