#include "gateway/process/cpu_count.hpp"

#include <gtest/gtest.h>

namespace tollgate::gateway {
namespace {

TEST(CpuCount, a_quota_is_rounded_up_to_whole_cpus) {
  EXPECT_EQ(quota_cpus("200000 100000\n"), 2u);
  EXPECT_EQ(quota_cpus("150000 100000\n"), 2u);
  EXPECT_EQ(quota_cpus("10000 100000\n"), 1u);
}

TEST(CpuCount, no_quota_and_nonsense_are_none) {
  for (const char* text : {"max 100000\n", "", "max", "x y", "100000 0"})
    EXPECT_EQ(quota_cpus(text), 0u) << text;
}

TEST(CpuCount, there_is_always_one) {
  EXPECT_GE(usable_cpus(), 1u);
}

}  // namespace
}  // namespace tollgate::gateway
