#include "sandbox/memory/mapping_budget.hpp"

#include <gtest/gtest.h>

namespace tollgate::sandbox {
namespace {

TEST(MappingBudget, leaves_some_of_the_kernels_mappings_to_the_rest_of_the_process) {
  EXPECT_EQ(mappings_for_sandboxes(kernel_mappings_usual), 60'000u);
  EXPECT_EQ(mappings_for_sandboxes(1u << 20), (1u << 20) - mappings_kept_back);
  EXPECT_EQ(mappings_for_sandboxes(6'000), 3'000u);
  EXPECT_EQ(mappings_for_sandboxes(1), 1u);
  EXPECT_EQ(mappings_for_sandboxes(0), 0u);
}

TEST(MappingBudget, knows_how_many_this_kernel_gives) {
  EXPECT_GE(read_kernel_mappings(), 1'000u);
}

TEST(MappingBudget, gives_what_there_is_and_not_one_more) {
  MappingBudget budget(3);
  EXPECT_TRUE(budget.take(2));
  EXPECT_FALSE(budget.take(2));
  EXPECT_TRUE(budget.take(1));
  EXPECT_EQ(budget.used(), 3);
  budget.give(2);
  EXPECT_TRUE(budget.take(2));
}

}  // namespace
}  // namespace tollgate::sandbox
