#include "sandbox/memory/slot.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace tollgate::sandbox {

namespace {
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
static_assert(slot_guard_bytes % huge_page_bytes == 0 && slot_bytes_max % huge_page_bytes == 0);
constexpr std::size_t reservation_bytes =
    slot_guard_bytes + slot_bytes_max + slot_guard_bytes + huge_page_bytes;
alignas(64) constexpr std::uint8_t zero_page[page_bytes] = {};
// Few bytes of a page come from the image, often: the rest is cleared, for half the cost of a copy.
constexpr std::size_t stretch_bytes = 1024;
static_assert(page_bytes % stretch_bytes == 0);

// How many mappings more the initial part has when `page` changes its protection: each neighbour with the old
// protection becomes a border, each with the new one ceases to be.
std::int32_t borders_gained(const PageSet& hot, std::size_t page) {
  std::int32_t gained = 0;
  if (page > 0) gained += hot.contains(page - 1) ? -1 : 1;
  if (page + 1 < hot.pages()) gained += hot.contains(page + 1) ? -1 : 1;
  return gained;
}
}  // namespace

Slot::Slot(const MemoryImage* image, std::size_t initial_bytes, MappingBudget& budget)
    : image_(image),
      budget_(budget),
      initial_bytes_(initial_bytes),
      bytes_(initial_bytes),
      hot_(initial_bytes / page_bytes) {}

expected<std::unique_ptr<Slot>, SlotError> Slot::create(const MemoryImage* image, std::size_t initial_bytes,
                                                        const PageSet& learned, MappingBudget& budget) {
  if (!budget.take(slot_mappings_base)) return unexpected(SlotError::mappings);
  std::unique_ptr<Slot> slot(new Slot(image, initial_bytes, budget));
  slot->mappings_ = slot_mappings_base;
  if (!slot->map()) return unexpected(SlotError::kernel);
  if (!slot->heat(learned)) return unexpected(SlotError::mappings);
  return slot;
}

Slot::~Slot() {
  if (reserved_ != nullptr) ::munmap(reserved_, reservation_bytes);
  budget_.give(mappings_);
}

bool Slot::map() {
  void* reserved =
      ::mmap(nullptr, reservation_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return false;
  reserved_ = reserved;
  const auto aligned =
      (reinterpret_cast<std::uintptr_t>(reserved) + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
  base_ = reinterpret_cast<std::uint8_t*>(aligned) + slot_guard_bytes;
  if (initial_bytes_ == 0) return true;
  const int flags = MAP_PRIVATE | MAP_FIXED | (image_ != nullptr ? 0 : MAP_ANONYMOUS | MAP_NORESERVE);
  const int fd = image_ != nullptr ? image_->fd() : -1;
  const auto offset = image_ != nullptr ? static_cast<off_t>(image_->offset()) : 0;
  if (::mmap(base_, initial_bytes_, PROT_READ | PROT_WRITE, flags, fd, offset) == MAP_FAILED) return false;
  // One write before the first split, so that all later pieces share one anon_vma: the kernel merges
  // neighbours of equal protection only then, and the count of mappings stays what borders_gained says.
  *static_cast<volatile std::uint8_t*>(base_) = *static_cast<volatile std::uint8_t*>(base_);
  return ::madvise(base_, page_bytes, MADV_DONTNEED) == 0 && protect(0, hot_.pages(), PROT_READ);
}

bool Slot::protect(std::size_t first_page, std::size_t pages, int protection) noexcept {
  return ::mprotect(base_ + first_page * page_bytes, pages * page_bytes, protection) == 0;
}

bool Slot::heat(const PageSet& pages) {
  for (const PageRun& run : pages.runs()) {
    // A run in the midst of cold pages adds two mappings, one at an end of the memory fewer.
    if (!budget_.take(2)) return false;
    mappings_ += 2;
    if (!protect(run.first, run.count, PROT_READ | PROT_WRITE)) return false;
    for (std::size_t page = run.first; page < run.first + run.count; ++page) hot_.insert(page);
  }
  plan_reset();
  return true;
}

bool Slot::make_writable(const void* address) noexcept {
  const auto* byte = static_cast<const std::uint8_t*>(address);
  if (opened_ || byte < base_ || byte >= base_ + initial_bytes_) return false;
  const std::size_t page = static_cast<std::size_t>(byte - base_) / page_bytes;
  if (hot_.contains(page)) return false;
  const std::int32_t gained = borders_gained(hot_, page);
  if (hot_.size() >= hot_pages_max || !budget_.take(gained)) return open();
  mappings_ += gained;
  if (!protect(page, 1, PROT_READ | PROT_WRITE)) return open();
  hot_.insert(page);
  changed_ = true;
  return true;
}

bool Slot::open() noexcept {
  if (!protect(0, hot_.pages(), PROT_READ | PROT_WRITE)) return false;
  // A guest that writes everywhere takes 64 faults for 128 MiB then, not 32,768. Advice: refused, nothing is
  // lost.
  if (image_ == nullptr) (void)::madvise(base_, initial_bytes_, MADV_HUGEPAGE);
  opened_ = true;
  budget_.give(mappings_ - slot_mappings_base);
  mappings_ = slot_mappings_base;
  return true;
}

bool Slot::grow(std::size_t bytes) {
  if (bytes > slot_bytes_max) return false;
  if (bytes > bytes_ &&
      !protect(bytes_ / page_bytes, (bytes - bytes_) / page_bytes, PROT_READ | PROT_WRITE)) {
    return false;
  }
  bytes_ = bytes;
  return true;
}

bool Slot::shrink() {
  std::uint8_t* const grown = base_ + initial_bytes_;
  const std::size_t grown_bytes = bytes_ - initial_bytes_;
  bytes_ = initial_bytes_;
  if (grown_bytes <= grown_bytes_kept_max) {
    std::memset(grown, 0, grown_bytes);
  } else if (::madvise(grown, grown_bytes, MADV_DONTNEED) != 0) {
    return false;
  }
  return ::mprotect(grown, grown_bytes, PROT_NONE) == 0;
}

void Slot::plan_reset() {
  plan_.clear();
  for (const PageRun& run : hot_.runs()) {
    const std::size_t begin = run.first * page_bytes;
    const std::size_t end = begin + run.count * page_bytes;
    for (std::size_t offset = begin; offset < end; offset += stretch_bytes) {
      const bool from_image =
          image_ != nullptr && std::memcmp(image_->data() + offset, zero_page, stretch_bytes) != 0;
      if (offset > begin && plan_.back().from_image == from_image) {
        plan_.back().bytes += stretch_bytes;
      } else {
        plan_.push_back({offset, stretch_bytes, from_image});
      }
    }
  }
  changed_ = false;
}

bool Slot::is_dirty(std::size_t page) const {
  const std::size_t offset = page * page_bytes;
  return std::memcmp(base_ + offset, image_ != nullptr ? image_->data() + offset : zero_page, page_bytes) !=
         0;
}

PageSet Slot::dirty_pages() const {
  PageSet dirty(hot_.pages());
  for (const PageRun& run : hot_.runs()) {
    for (std::size_t page = run.first; page < run.first + run.count; ++page) {
      if (is_dirty(page)) dirty.insert(page);
    }
  }
  return dirty;
}

bool Slot::start_anew(const PageSet& hot) {
  budget_.give(mappings_ - slot_mappings_base);
  mappings_ = slot_mappings_base;
  opened_ = false;
  hot_.clear();
  if (::madvise(base_, initial_bytes_, MADV_DONTNEED) != 0 || !protect(0, hot_.pages(), PROT_READ))
    return false;
  return heat(hot);
}

Slot::Reset Slot::reset() {
  if (bytes_ > initial_bytes_ && !shrink()) return Reset::failed;
  if (opened_) return start_anew(PageSet(hot_.pages())) ? Reset::emptied : Reset::failed;
  if (++resets_ % decay_period == 0) {
    const PageSet dirty = dirty_pages();
    const std::size_t clean = hot_.size() - dirty.size();
    if (clean >= decay_clean_pages_min && clean > dirty.size()) {
      return start_anew(dirty) ? Reset::renewed : Reset::failed;
    }
  }
  const bool grew = changed_;
  if (changed_) plan_reset();
  for (const auto& [offset, bytes, from_image] : plan_) {
    if (from_image) {
      std::memcpy(base_ + offset, image_->data() + offset, bytes);
    } else {
      std::memset(base_ + offset, 0, bytes);
    }
  }
  return grew ? Reset::learned : Reset::kept;
}

}  // namespace tollgate::sandbox
