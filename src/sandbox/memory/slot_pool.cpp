#include "sandbox/memory/slot_pool.hpp"

#include <cassert>
#include <utility>

namespace tollgate::sandbox {

SlotPool::SlotPool(MemoryImage image, std::size_t initial_bytes, MappingBudget& budget)
    : image_(std::move(image)),
      initial_bytes_(initial_bytes),
      budget_(budget),
      learned_(initial_bytes / page_bytes) {}

SlotPool::~SlotPool() {
  assert(in_use_ == 0);
}

expected<Slot*, SlotError> SlotPool::acquire() {
  if (!idle_.empty()) {
    Slot* slot = idle_.back().release();
    idle_.pop_back();
    ++in_use_;
    return slot;
  }
  auto made = Slot::create(image_.bytes() > 0 ? &image_ : nullptr, initial_bytes_, learned_, budget_);
  if (!made) return unexpected(made.error());
  ++in_use_;
  return made->release();
}

void SlotPool::release(Slot* slot) {
  std::unique_ptr<Slot> owned(slot);
  --in_use_;
  switch (owned->reset()) {
    case Slot::Reset::kept:
    case Slot::Reset::emptied:
      break;
    case Slot::Reset::learned:
      learned_.insert(owned->hot());
      if (learned_.size() > hot_pages_max) learned_ = owned->hot();
      break;
    case Slot::Reset::renewed:
      learned_ = owned->hot();
      break;
    case Slot::Reset::failed:
      return;
  }
  if (idle_.size() < idle_slots_max) idle_.push_back(std::move(owned));
}

void SlotPool::trim() {
  idle_.clear();
}

}  // namespace tollgate::sandbox
