// One linear memory that is used again and again, yet is new for each request: why a fresh sandbox costs so
// little.
//
// A slot is an address range big enough that a 32-bit index cannot leave it (4 GiB, with guards on both
// sides). Its first `initial_bytes` show the program's image, mapped privately, or zeroes. They start
// read-only. The first write to a page faults once; the handler (fault_handler.hpp) makes that page writable
// and puts it into the slot's *hot set* for good. When the memory is dropped only the hot pages are copied
// back from the image, or zeroed: every page that is not hot cannot have been written. A program writes the
// same few pages in each request, so after one or two requests a slot sees no fault and makes no system call.
//
// Bounds. Beyond hot_pages_max, or when the worker's budget of mappings is used up, the whole memory becomes
// writable by one mprotect and is reset by madvise: writing every second page cannot use up the kernel's
// mappings. Sets decay: one reset in decay_period compares the hot pages with the image, and a slot that
// carries mostly clean ones starts anew with the dirty ones, else one big request would make every later one
// copy what it wrote.
//
// What the kernel must not do: write into a slot. A page that is not hot yet gives it EFAULT instead of a
// fault that the handler sees. Host functions copy.
//
// Threads: one; a slot never leaves the thread that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/expected.hpp"
#include "sandbox/memory/image.hpp"
#include "sandbox/memory/mapping_budget.hpp"
#include "sandbox/memory/page_set.hpp"

namespace tollgate::sandbox {

inline constexpr std::size_t page_bytes = 4096;  // blocks of this size beat larger ones in every measurement
inline constexpr std::size_t slot_bytes_max = std::size_t{4} << 30;  // what a wasm32 memory can ever be
// A load's constant offset reaches at most this far past its 32-bit index before the engine checks it by
// code.
inline constexpr std::size_t slot_guard_bytes = std::size_t{32} << 20;
// Resetting this many pages (8 MiB) costs as much as having the kernel drop and fault them in again.
inline constexpr std::size_t hot_pages_max = 2048;
inline constexpr std::uint32_t decay_period = 256;
inline constexpr std::size_t decay_clean_pages_min = 16;  // fewer cost less than starting anew
// Growth up to this is zeroed and stays with the slot; beyond it the pages go back to the kernel.
inline constexpr std::size_t grown_bytes_kept_max = 256u << 10;
// Guard, initial part, grown part, the rest of the reservation.
inline constexpr std::int32_t slot_mappings_base = 4;

enum class SlotError : std::uint8_t {
  mappings,  // the worker's budget of mappings is used up
  kernel,    // the kernel refused a mapping all the same
};

class Slot {
 public:
  // `image` is null for a memory that starts as zeroes; else it has `initial_bytes`. Pages in `learned` start
  // hot. Image and budget must outlive the slot.
  static expected<std::unique_ptr<Slot>, SlotError> create(const MemoryImage* image,
                                                           std::size_t initial_bytes, const PageSet& learned,
                                                           MappingBudget& budget);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  std::uint8_t* base() const { return base_; }
  std::size_t bytes() const { return bytes_; }  // as the guest sees it

  // memory.grow: `bytes` is a multiple of the page size, not less than bytes(). False when the kernel
  // refuses.
  [[nodiscard]] bool grow(std::size_t bytes);

  // From the fault handler, on the thread that runs the slot. True: the page is writable now, go on. False:
  // this is no first write (a trap of the guest, or a defect elsewhere), or the kernel refused.
  [[nodiscard]] bool make_writable(const void* address) noexcept;

  enum class Reset : std::uint8_t {
    kept,     // the hot set is what it was
    learned,  // pages joined it
    renewed,  // it decayed to the pages that were dirty
    emptied,  // the memory had been opened as a whole: no page is hot
    failed,   // the kernel refused: the slot must not be used again
  };
  // Brings the memory back to its initial content and size.
  [[nodiscard]] Reset reset();

  const PageSet& hot() const { return hot_; }
  bool opened() const { return opened_; }  // writable as a whole since the last reset
  std::int32_t mappings() const { return mappings_; }

 private:
  Slot(const MemoryImage* image, std::size_t initial_bytes, MappingBudget& budget);

  bool map();
  bool heat(const PageSet& pages);  // of a slot without hot pages
  bool open() noexcept;
  bool start_anew(const PageSet& hot);
  bool shrink();
  PageSet dirty_pages() const;
  bool protect(std::size_t first_page, std::size_t pages, int protection) noexcept;
  bool is_dirty(std::size_t page) const;

  const MemoryImage* image_;
  MappingBudget& budget_;
  std::size_t initial_bytes_;
  void* reserved_ = nullptr;
  std::uint8_t* base_ = nullptr;  // aligned for huge pages
  std::size_t bytes_;
  PageSet hot_;
  // What a reset does to hot_, made anew after it has changed. What is zero in the image is cleared: it need
  // not be read from there.
  struct Restore {
    std::size_t offset;
    std::size_t bytes;
    bool from_image;
  };
  void plan_reset();
  std::vector<Restore> plan_;
  bool changed_ = false;  // since the plan was made
  bool opened_ = false;
  std::int32_t mappings_ = 0;  // taken from the budget
  std::uint32_t resets_ = 0;
};

}  // namespace tollgate::sandbox
