// The slots of one program: those in use, those that wait for the next request, and what all of them have
// learned about which pages the program writes. Destroying the pool gives everything back to the kernel.
//
// Threads: one worker's.
#pragma once

#include <memory>
#include <vector>

#include "sandbox/memory/slot.hpp"

namespace tollgate::sandbox {

// Slots that wait. More may be in use; those that come back beyond this are unmapped.
inline constexpr std::size_t idle_slots_max = 64;

class SlotPool {
 public:
  // Without an image (image.bytes() is 0) memories start as zeroes. The budget must outlive the pool.
  SlotPool(MemoryImage image, std::size_t initial_bytes, MappingBudget& budget);
  ~SlotPool();  // no slot may be in use

  // A slot with the initial content. Made on the first call and whenever none waits.
  expected<Slot*, SlotError> acquire();
  // Resets the slot and keeps it, or unmaps it. The slot is the pool's again.
  void release(Slot* slot);
  // Unmaps every slot that waits; what was learned stays.
  void trim();

  std::size_t initial_bytes() const { return initial_bytes_; }
  std::size_t idle() const { return idle_.size(); }
  std::size_t in_use() const { return in_use_; }
  const PageSet& learned() const { return learned_; }

 private:
  MemoryImage image_;
  std::size_t initial_bytes_;
  MappingBudget& budget_;
  PageSet learned_;
  std::vector<std::unique_ptr<Slot>> idle_;
  std::size_t in_use_ = 0;
};

}  // namespace tollgate::sandbox
