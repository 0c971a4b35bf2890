#include "sandbox/wasmtime/stack_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <vector>

namespace tollgate::sandbox {
namespace {

constexpr std::size_t page = 4096;

// How many pages of the stack the kernel holds.
std::size_t resident_pages(std::uint8_t* low) {
  std::vector<unsigned char> pages(fiber_stack_bytes / page);
  EXPECT_EQ(::mincore(low, fiber_stack_bytes, pages.data()), 0);
  std::size_t resident = 0;
  for (const unsigned char state : pages) resident += state & 1u;
  return resident;
}

TEST(StackPool, gives_the_same_stack_again) {
  MappingBudget budget(100);
  StackPool pool(budget);
  void* owner = nullptr;
  std::uint8_t* const first = pool.take(fiber_stack_bytes, &owner);
  ASSERT_NE(first, nullptr);
  first[0] = first[fiber_stack_bytes - 1] = 1;
  StackPool::put_back(owner);
  EXPECT_EQ(pool.idle(), 1u);
  EXPECT_EQ(pool.take(fiber_stack_bytes, &owner), first);
  StackPool::put_back(owner);
}

TEST(StackPool, what_lies_below_a_stack_is_out_of_reach) {
  MappingBudget budget(100);
  StackPool pool(budget);
  void* owner = nullptr;
  volatile std::uint8_t* const low = pool.take(fiber_stack_bytes, &owner);
  EXPECT_DEATH(low[-1] = 1, "");
  StackPool::put_back(owner);
}

TEST(StackPool, gives_back_what_a_deep_recursion_touched) {
  MappingBudget budget(100);
  StackPool pool(budget);
  void* owner = nullptr;
  std::uint8_t* const low = pool.take(fiber_stack_bytes, &owner);
  std::memset(low, 1, fiber_stack_bytes);
  EXPECT_EQ(resident_pages(low), fiber_stack_bytes / page);
  for (std::uint32_t use = 0; use < stack_trim_period; ++use) {
    StackPool::put_back(owner);
    ASSERT_EQ(pool.take(fiber_stack_bytes, &owner), low);
  }
  EXPECT_LE(resident_pages(low), stack_bytes_kept / page);
  StackPool::put_back(owner);
}

TEST(StackPool, without_budget_there_is_no_stack_and_all_of_it_comes_back) {
  MappingBudget budget(2 * stack_mappings);
  {
    StackPool pool(budget);
    std::array<void*, 3> owners{};
    EXPECT_NE(pool.take(fiber_stack_bytes, &owners[0]), nullptr);
    EXPECT_NE(pool.take(fiber_stack_bytes, &owners[1]), nullptr);
    EXPECT_EQ(pool.take(fiber_stack_bytes, &owners[2]), nullptr);
    StackPool::put_back(owners[0]);
    StackPool::put_back(owners[1]);
  }
  EXPECT_EQ(budget.used(), 0);
}

}  // namespace
}  // namespace tollgate::sandbox
