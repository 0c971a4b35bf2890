#include "gateway/process/cpus.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

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

// Of this thread.
std::vector<unsigned> allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

TEST(CpuOfWorker, as_many_workers_as_cpus_have_one_each) {
  const std::vector<unsigned> cpus = allowed();
  const auto workers = static_cast<unsigned>(cpus.size());
  for (unsigned index = 0; index < workers; ++index) EXPECT_EQ(cpu_of_worker(index, workers), cpus[index]);
}

TEST(CpuOfWorker, fewer_or_more_have_none) {
  const auto workers = static_cast<unsigned>(allowed().size());
  EXPECT_EQ(cpu_of_worker(0, workers + 1), std::nullopt);
  EXPECT_EQ(cpu_of_worker(0, workers - 1), std::nullopt);
}

TEST(CpuOfWorker, who_keeps_to_one_has_that_one) {
  const unsigned last = allowed().back();
  std::thread([last] {
    keep_to(last);
    EXPECT_EQ(allowed(), std::vector<unsigned>{last});
    EXPECT_EQ(cpu_of_worker(0, 1), last);
  }).join();
}

}  // namespace
}  // namespace tollgate::gateway
