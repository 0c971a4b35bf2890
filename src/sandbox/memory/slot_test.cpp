#include "sandbox/memory/slot.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/memory/fault_handler.hpp"
#include "sandbox/memory/slot_pool.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::size_t pages = 64;
constexpr std::size_t bytes = pages * page_bytes;

MemoryImage image_of(const std::vector<std::uint8_t>& content, std::size_t offset = 0) {
  UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), content.data(), content.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(content.size()));
  auto image = MemoryImage::map(std::move(file), offset, content.size());
  EXPECT_TRUE(image.has_value());
  return std::move(*image);
}

std::vector<std::uint8_t> counted_bytes(std::size_t count) {
  std::vector<std::uint8_t> content(count);
  for (std::size_t i = 0; i < count; ++i) content[i] = static_cast<std::uint8_t>(i / page_bytes + i % 251);
  return content;
}

// As a guest would: first writes are served.
void write(Slot& slot, std::size_t offset, std::uint8_t value) {
  const RunningSlot running(&slot);
  *const_cast<volatile std::uint8_t*>(slot.base() + offset) = value;
}

// How many of the process's mappings lie inside the slot's memory.
int kernel_mappings(const Slot& slot, std::size_t length) {
  std::ifstream maps("/proc/self/maps");
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream(line) >> std::hex >> begin >> dash >> end;
    const auto base = reinterpret_cast<std::uintptr_t>(slot.base());
    found += begin >= base && begin < base + length;
  }
  return found;
}

class SlotTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(install_fault_handler()); }

  std::unique_ptr<Slot> make(const MemoryImage* image = nullptr, std::size_t initial_bytes = bytes) {
    auto slot = Slot::create(image, initial_bytes, PageSet(initial_bytes / page_bytes), budget_);
    EXPECT_TRUE(slot.has_value());
    return std::move(*slot);
  }

  MappingBudget budget_{60'000};
  SignalStack signal_stack_;
};

TEST_F(SlotTest, starts_as_zeroes_and_is_zeroes_again_after_a_reset) {
  const auto slot = make();
  write(*slot, 5, 1);
  write(*slot, bytes - 1, 2);
  EXPECT_EQ(slot->base()[5], 1);
  EXPECT_EQ(slot->hot().size(), 2u);
  EXPECT_EQ(slot->reset(), Slot::Reset::learned);
  EXPECT_TRUE(std::all_of(slot->base(), slot->base() + bytes, [](std::uint8_t byte) { return byte == 0; }));
}

TEST_F(SlotTest, starts_as_its_image_and_is_the_image_again_after_a_reset) {
  const auto content = counted_bytes(bytes);
  const MemoryImage image = image_of(content, 3 * page_bytes);
  const auto slot = make(&image);
  EXPECT_EQ(std::memcmp(slot->base(), content.data(), bytes), 0);
  for (std::size_t page = 0; page < pages; page += 3) write(*slot, page * page_bytes + page, 0xee);
  EXPECT_EQ(slot->reset(), Slot::Reset::learned);
  EXPECT_EQ(std::memcmp(slot->base(), content.data(), bytes), 0);
}

TEST_F(SlotTest, a_page_faults_once_and_stays_hot) {
  const auto slot = make();
  for (int request = 0; request < 3; ++request) {
    write(*slot, 7 * page_bytes, 1);
    EXPECT_EQ(slot->hot().size(), 1u);
    EXPECT_EQ(slot->reset(), request == 0 ? Slot::Reset::learned : Slot::Reset::kept);
  }
}

TEST_F(SlotTest, counts_its_mappings_as_the_kernel_does) {
  const auto content = counted_bytes(bytes);
  const MemoryImage image = image_of(content);
  std::mt19937 random(7);
  for (const MemoryImage* kind : {static_cast<const MemoryImage*>(nullptr), &image}) {
    const auto slot = make(kind);
    for (std::size_t i = 0; i < 200 + pages; ++i) {
      write(*slot, i < 200 ? random() % bytes : (i - 200) * page_bytes, 1);
      // The base counts guard, initial part, grown part and the rest.
      EXPECT_EQ(slot->mappings() - slot_mappings_base + 1, kernel_mappings(*slot, bytes));
    }
    EXPECT_EQ(slot->hot().size(), pages);
    EXPECT_EQ(slot->mappings(), slot_mappings_base);
  }
}

TEST_F(SlotTest, beyond_the_bound_of_hot_pages_it_opens_as_a_whole_and_is_emptied) {
  constexpr std::size_t many = 3 * hot_pages_max;
  const auto slot = make(nullptr, many * page_bytes);
  const auto before = budget_.used();
  for (std::size_t page = 0; page < many; page += 2) {  // every second page
    write(*slot, page * page_bytes, 1);
    ASSERT_LE(slot->hot().size(), hot_pages_max);
  }
  EXPECT_TRUE(slot->opened());
  EXPECT_EQ(budget_.used(), before);
  EXPECT_EQ(slot->reset(), Slot::Reset::emptied);
  EXPECT_FALSE(slot->opened());
  EXPECT_EQ(slot->hot().size(), 0u);
  for (std::size_t page = 0; page < many; ++page) ASSERT_EQ(slot->base()[page * page_bytes], 0);
  EXPECT_EQ(kernel_mappings(*slot, many * page_bytes), 1);
}

TEST_F(SlotTest, opens_as_a_whole_when_the_budget_of_mappings_is_used_up) {
  MappingBudget small(slot_mappings_base + 5);
  auto slot = Slot::create(nullptr, bytes, PageSet(pages), small);
  ASSERT_TRUE(slot.has_value());
  for (std::size_t page = 0; page < pages; page += 2) write(**slot, page * page_bytes, 1);
  EXPECT_TRUE((*slot)->opened());
  EXPECT_EQ(small.used(), slot_mappings_base);
  EXPECT_EQ(Slot::create(nullptr, bytes, PageSet(pages), small).has_value(), true);
}

// The budget is below what the kernel gives, but others in the process map too. What the handler falls back
// to makes one mapping of many and needs none: so host functions, which write as guests do, need not expect a
// fault either.
TEST_F(SlotTest, serves_writes_when_the_kernel_has_no_mappings_left) {
  const auto write_without_mappings = [this] {
    const MemoryImage image = image_of(counted_bytes(bytes));
    auto from_zeroes = make();
    auto from_image = make(&image);
    // Neighbours of different protection stay mappings of their own.
    for (;;) {
      void* two = ::mmap(nullptr, 2 * page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (two == MAP_FAILED || ::mprotect(two, page_bytes, PROT_NONE) != 0) break;
    }
    for (Slot* slot : {from_zeroes.get(), from_image.get()}) {
      for (std::size_t page = 1; page < pages; page += 2) write(*slot, page * page_bytes, 1);
      if (!slot->opened()) ::_exit(1);
    }
    // Not std::_Exit: a sanitizer looks for leaks there, with mappings of its own.
    ::_exit(from_zeroes->base()[page_bytes] == 1 && from_image->base()[page_bytes] == 1 ? 0 : 2);
  };
  EXPECT_EXIT(write_without_mappings(), testing::ExitedWithCode(0), "");
}

TEST_F(SlotTest, without_budget_no_slot_is_made) {
  MappingBudget small(slot_mappings_base - 1);
  const auto slot = Slot::create(nullptr, bytes, PageSet(pages), small);
  ASSERT_FALSE(slot.has_value());
  EXPECT_EQ(slot.error(), SlotError::mappings);
  EXPECT_EQ(small.used(), 0);
}

TEST_F(SlotTest, grows_within_its_reservation_and_shrinks_on_reset) {
  const auto slot = make();
  for (const std::size_t more : {std::size_t{64} << 10, grown_bytes_kept_max, std::size_t{8} << 20}) {
    ASSERT_TRUE(slot->grow(bytes + more));
    EXPECT_EQ(slot->bytes(), bytes + more);
    for (std::size_t at = bytes; at < bytes + more; at += page_bytes) {
      ASSERT_EQ(slot->base()[at], 0);
      slot->base()[at] = 0xaa;
    }
    EXPECT_EQ(slot->reset(), Slot::Reset::kept);
    EXPECT_EQ(slot->bytes(), bytes);
  }
  EXPECT_FALSE(slot->grow(slot_bytes_max + page_bytes));
}

TEST_F(SlotTest, grown_memory_is_out_of_reach_after_a_reset) {
  const auto slot = make();
  ASSERT_TRUE(slot->grow(bytes + page_bytes));
  slot->base()[bytes] = 1;
  (void)slot->reset();
  EXPECT_DEATH(slot->base()[bytes] = 1, "");
}

TEST_F(SlotTest, a_write_to_a_slot_that_is_not_running_is_not_served) {
  const auto mine = make();
  const auto other = make();
  EXPECT_DEATH(
      {
        const RunningSlot running(mine.get());
        *const_cast<volatile std::uint8_t*>(other->base()) = 1;
      },
      "");
  EXPECT_DEATH(*const_cast<volatile std::uint8_t*>(mine->base()) = 1, "");
}

TEST_F(SlotTest, only_the_initial_part_of_a_slot_is_served) {
  const auto slot = make();
  EXPECT_FALSE(slot->make_writable(slot->base() - 1));
  EXPECT_FALSE(slot->make_writable(slot->base() + bytes));
  EXPECT_FALSE(slot->make_writable(nullptr));
  EXPECT_TRUE(slot->make_writable(slot->base()));
  EXPECT_FALSE(slot->make_writable(slot->base())) << "a hot page's fault is no first write";
}

TEST_F(SlotTest, a_set_of_mostly_clean_pages_decays) {
  const auto slot = make();
  for (std::size_t page = 0; page < pages; ++page) write(*slot, page * page_bytes, 1);
  EXPECT_EQ(slot->reset(), Slot::Reset::learned);
  bool renewed = false;
  for (std::uint32_t i = 0; i < decay_period && !renewed; ++i) {
    write(*slot, 9 * page_bytes, 1);
    renewed = slot->reset() == Slot::Reset::renewed;
  }
  EXPECT_TRUE(renewed);
  EXPECT_EQ(slot->hot().size(), 1u);
  EXPECT_TRUE(slot->hot().contains(9));
  EXPECT_EQ(slot->base()[9 * page_bytes], 0);
}

TEST_F(SlotTest, a_set_that_is_used_does_not_decay) {
  const auto slot = make();
  for (std::uint32_t i = 0; i < 2 * decay_period; ++i) {
    for (std::size_t page = 0; page < pages; page += 2) write(*slot, page * page_bytes, 1);
    EXPECT_EQ(slot->reset(), i == 0 ? Slot::Reset::learned : Slot::Reset::kept);
  }
}

TEST_F(SlotTest, a_memory_without_pages_can_still_grow) {
  const auto slot = make(nullptr, 0);
  ASSERT_TRUE(slot->grow(64u << 10));
  slot->base()[0] = 1;
  EXPECT_EQ(slot->reset(), Slot::Reset::kept);
  EXPECT_EQ(slot->bytes(), 0u);
}

TEST_F(SlotTest, an_image_that_is_not_whole_pages_of_its_file_is_refused) {
  const auto file = [] {
    UniqueFd made(::memfd_create("image", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(made.get(), bytes), 0);
    return made;
  };
  EXPECT_FALSE(MemoryImage::map(file(), 0, bytes + page_bytes).has_value());
  EXPECT_FALSE(MemoryImage::map(file(), page_bytes, bytes).has_value());
  EXPECT_FALSE(MemoryImage::map(file(), 1, page_bytes).has_value());
  EXPECT_FALSE(MemoryImage::map(file(), 0, 100).has_value());
  EXPECT_FALSE(MemoryImage::map(UniqueFd(), 0, bytes).has_value());
  EXPECT_TRUE(MemoryImage::map(file(), page_bytes, bytes - page_bytes).has_value());
}

TEST_F(SlotTest, the_kernel_does_not_write_into_pages_that_are_not_hot) {
  const auto slot = make();
  const UniqueFd zeroes(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const RunningSlot running(slot.get());
  EXPECT_EQ(::read(zeroes.get(), slot->base(), 16), -1);
  EXPECT_EQ(errno, EFAULT);
}

// ---- pools

TEST_F(SlotTest, a_pool_gives_the_same_slot_again) {
  SlotPool pool(MemoryImage(), bytes, budget_);
  Slot* const first = *pool.acquire();
  write(*first, 0, 1);
  pool.release(first);
  EXPECT_EQ(*pool.acquire(), first);
  EXPECT_EQ(first->base()[0], 0);
  pool.release(first);
}

TEST_F(SlotTest, a_new_slot_of_a_known_program_starts_with_the_set_that_was_learned) {
  SlotPool pool(MemoryImage(), bytes, budget_);
  Slot* const first = *pool.acquire();
  for (const std::size_t page : {3, 4, 5, 20}) write(*first, page * page_bytes, 1);
  pool.release(first);
  Slot* const again = *pool.acquire();
  Slot* const fresh = *pool.acquire();
  EXPECT_NE(fresh, again);
  EXPECT_EQ(fresh->hot().size(), 4u);
  for (const std::size_t page : {3, 4, 5, 20}) fresh->base()[page * page_bytes] = 1;  // no handler needed
  pool.release(again);
  pool.release(fresh);
}

TEST_F(SlotTest, a_pool_keeps_a_bounded_number_of_slots_and_gives_everything_back) {
  const auto before = budget_.used();
  {
    SlotPool pool(MemoryImage(), bytes, budget_);
    std::vector<Slot*> slots;
    for (std::size_t i = 0; i < idle_slots_max + 10; ++i) slots.push_back(*pool.acquire());
    for (Slot* slot : slots) pool.release(slot);
    EXPECT_EQ(pool.idle(), idle_slots_max);
    EXPECT_EQ(pool.in_use(), 0u);
  }
  EXPECT_EQ(budget_.used(), before);
}

// ---- page sets

TEST(PageSet, runs_are_maximal_and_ascending) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    PageSet set(300);
    std::vector<bool> model(300);
    const std::size_t count = random() % 400;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t page = random() % 300;
      set.insert(page);
      model[page] = true;
    }
    EXPECT_EQ(set.size(), static_cast<std::size_t>(std::count(model.begin(), model.end(), true)));
    std::vector<bool> seen(300);
    std::size_t past = 0;
    for (const PageRun& run : set.runs()) {
      EXPECT_GT(run.count, 0u);
      EXPECT_TRUE(run.first > past || (run.first == 0 && past == 0)) << "adjacent runs were not merged";
      past = run.first + run.count;
      for (std::size_t page = run.first; page < past; ++page) seen[page] = true;
    }
    EXPECT_EQ(seen, model);
  }
}

TEST(PageSet, a_union_has_the_pages_of_both) {
  PageSet a(100);
  PageSet b(100);
  a.insert(1);
  a.insert(64);
  b.insert(64);
  b.insert(99);
  a.insert(b);
  EXPECT_EQ(a.size(), 3u);
  EXPECT_TRUE(a.contains(1) && a.contains(64) && a.contains(99));
}

}  // namespace
}  // namespace tollgate::sandbox
