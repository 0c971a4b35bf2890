#include "gateway/shared_memory.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <memory>
#include <thread>
#include <vector>

namespace tollgate::gateway {
namespace {

struct Shared {
  SharedFile counts_file = SharedFile::create("counts", sizeof(SharedCounts)).value();
  SharedFile mark_file = SharedFile::create("mark", sizeof(WorkerMark)).value();
  SharedMapping counts_mapping =
      SharedMapping::map(counts_file.fd(), counts_file.bytes(), MapAccess::read_write).value();
  SharedMapping mark_mapping =
      SharedMapping::map(mark_file.fd(), mark_file.bytes(), MapAccess::read_write).value();
  SharedCounts& counts = *static_cast<SharedCounts*>(counts_mapping.data());
  WorkerMark& mark = *static_cast<WorkerMark*>(mark_mapping.data());

  CountedLimit running(std::uint32_t slot) {
    return {counts.routes[slot].all_workers.running, mark.shares[slot].running};
  }
};

TEST(SharedFile, cannot_be_shrunk_under_a_mapping) {
  const SharedFile file = SharedFile::create("test", 8192).value();
  EXPECT_NE(ftruncate(file.fd(), 4096), 0);
}

TEST(CountedLimit, lets_exactly_the_limit_through) {
  Shared shared;
  CountedLimit limit = shared.running(7);
  EXPECT_TRUE(limit.try_take(2));
  EXPECT_TRUE(limit.try_take(2));
  EXPECT_FALSE(limit.try_take(2));
  limit.give_back();
  EXPECT_TRUE(limit.try_take(2));
}

TEST(CountedLimit, a_limit_of_zero_lets_nothing_through) {
  Shared shared;
  EXPECT_FALSE(shared.running(0).try_take(0));
}

TEST(CountedLimit, never_exceeds_the_limit_when_workers_race) {
  Shared shared;
  std::vector<std::unique_ptr<WorkerMark>> marks;
  std::atomic<int> inside{0};
  std::atomic<int> seen_max{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    WorkerMark& mark = *marks.emplace_back(std::make_unique<WorkerMark>());
    workers.emplace_back([&shared, &mark, &inside, &seen_max] {
      CountedLimit limit(shared.counts.routes[1].all_workers.running, mark.shares[1].running);
      for (int n = 0; n < 20'000; ++n) {
        if (!limit.try_take(2)) continue;
        const int now = inside.fetch_add(1) + 1;
        int max = seen_max.load();
        while (now > max && !seen_max.compare_exchange_weak(max, now)) {
        }
        inside.fetch_sub(1);
        limit.give_back();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_LE(seen_max.load(), 2);
  EXPECT_EQ(shared.counts.routes[1].all_workers.running.load(), 0);
}

TEST(SettleAfterDeath, gives_back_what_a_killed_process_held_and_names_its_route) {
  Shared shared;
  ASSERT_TRUE(shared.running(3).try_take(10));
  WorkerMark& dead_mark = shared.mark;
  dead_mark.shares[3].running = 0;  // the place above belongs to another worker
  const pid_t child = fork();
  if (child == 0) {
    CountedLimit limit = shared.running(3);
    const bool taken = limit.try_take(10) && limit.try_take(10);
    const EnteredRoute entered(dead_mark, 3);
    raise(taken ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(shared.counts.routes[3].all_workers.running.load(), 3);

  EXPECT_EQ(settle_after_death(shared.counts, dead_mark), 3u);
  EXPECT_EQ(shared.counts.routes[3].all_workers.running.load(), 1);
  ASSERT_TRUE(shared.mark_file.clear(0, sizeof(WorkerMark)));
  EXPECT_EQ(settle_after_death(shared.counts, dead_mark), std::nullopt);
  EXPECT_EQ(shared.counts.routes[3].all_workers.running.load(), 1);
}

TEST(SettleAfterDeath, does_not_believe_impossible_numbers) {
  Shared shared;
  shared.mark.entered_route = route_slots_max + 5;
  shared.mark.shares[0].running = -7;
  shared.mark.shares[1].queued = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(settle_after_death(shared.counts, shared.mark), std::nullopt);
  EXPECT_EQ(shared.counts.routes[0].all_workers.running.load(), 0);
  EXPECT_EQ(shared.counts.routes[1].all_workers.queued.load(), 0);
}

}  // namespace
}  // namespace tollgate::gateway
