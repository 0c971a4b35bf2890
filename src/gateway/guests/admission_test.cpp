#include "gateway/guests/admission.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <string>
#include <vector>

#include "gateway/reasons.hpp"

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;

class Admitting : public ::testing::Test {
 protected:
  struct Request {
    http::Cancellation cancellation;
    std::optional<expected<Admission::Permit, const http::Reason*>> got;
  };
  // A worker of its own: shares only the counts with others.
  struct Worker {
    Worker(EventLoop& loop, SharedCounts& counts, Admission::Bounds bounds)
        : admission(loop.get_executor(), counts, *mark, slot, bounds) {}
    std::unique_ptr<WorkerMark> mark = std::make_unique<WorkerMark>();
    Admission admission;
  };

  Request& ask(Worker& at) {
    Request& request = *requests.emplace_back(std::make_unique<Request>());
    asio::co_spawn(loop.get_executor(), enter(at, request), asio::detached);
    loop.restart();
    loop.poll();
    return request;
  }
  static Task<> enter(Worker& at, Request& request) {
    request.got = co_await at.admission.enter(request.cancellation);
  }
  void run_for(std::chrono::milliseconds time) {
    loop.restart();
    loop.run_for(time);
  }
  static bool admitted(const Request& request) { return request.got && *request.got; }
  std::int32_t running() const { return counts->routes[slot].all_workers.running.load(); }
  std::int32_t queued() const { return counts->routes[slot].all_workers.queued.load(); }

  static constexpr std::uint32_t slot = 3;
  EventLoop loop{BOOST_ASIO_CONCURRENCY_HINT_1};
  std::unique_ptr<SharedCounts> counts = std::make_unique<SharedCounts>();
  Worker worker{loop, *counts, {2, 2}};
  Worker other{loop, *counts, {2, 2}};
  std::vector<std::unique_ptr<Request>> requests;
};

TEST_F(Admitting, lets_in_as_many_as_allowed_queues_as_many_and_refuses_the_rest) {
  std::vector<Request*> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(&ask(worker));
  EXPECT_TRUE(admitted(*asked[0]));
  EXPECT_TRUE(admitted(*asked[1]));
  EXPECT_FALSE(asked[2]->got);
  EXPECT_FALSE(asked[3]->got);
  ASSERT_TRUE(asked[4]->got);
  EXPECT_EQ(asked[4]->got->error(), &reasons::capacity);
  EXPECT_EQ(running(), 2);
  EXPECT_EQ(queued(), 2);
  asked[0]->got.reset();
  run_for(1ms);
  EXPECT_TRUE(admitted(*asked[2]));
  EXPECT_FALSE(asked[3]->got);
  asked[1]->got.reset();
  run_for(1ms);
  EXPECT_TRUE(admitted(*asked[3]));
}

TEST_F(Admitting, gives_everything_back) {
  for (int i = 0; i < 4; ++i) ask(worker);
  for (auto& request : requests) {
    request->got.reset();
    run_for(5ms);
  }
  EXPECT_EQ(running(), 0);
  EXPECT_EQ(queued(), 0);
  EXPECT_EQ(worker.mark->shares[slot].running.load(), 0);
  EXPECT_EQ(worker.mark->shares[slot].queued.load(), 0);
}

TEST_F(Admitting, counts_over_all_workers_and_learns_of_places_they_give_back) {
  Request& theirs = ask(other);
  ask(other);
  Request& ours = ask(worker);
  EXPECT_FALSE(ours.got);
  theirs.got.reset();
  run_for(200ms);
  EXPECT_TRUE(admitted(ours));
}

TEST_F(Admitting, lets_nobody_overtake_who_waits) {
  Request& a = ask(worker);
  ask(worker);
  Request& c = ask(worker);
  a.got.reset();
  EXPECT_FALSE(worker.admission.try_enter());
  run_for(5ms);
  EXPECT_TRUE(admitted(c));
}

TEST_F(Admitting, ends_the_wait_of_a_cancelled_exchange) {
  ask(worker);
  ask(worker);
  Request& late = ask(worker);
  late.cancellation.cancel(reasons::deadline);
  run_for(1ms);
  ASSERT_TRUE(late.got);
  EXPECT_EQ(late.got->error(), &reasons::deadline);
  EXPECT_EQ(queued(), 0);
  EXPECT_EQ(worker.admission.waiting(), 0u);
  Request& gone = *requests.emplace_back(std::make_unique<Request>());
  gone.cancellation.cancel(http::reasons::client_gone);
  asio::co_spawn(loop.get_executor(), enter(worker, gone), asio::detached);
  run_for(1ms);
  ASSERT_TRUE(gone.got);
  EXPECT_EQ(gone.got->error(), &http::reasons::client_gone);
}

TEST_F(Admitting, gets_the_places_of_a_dead_worker) {
  ask(other);
  ask(other);
  Request& ours = ask(worker);
  settle_after_death(*counts, *other.mark);
  run_for(200ms);
  EXPECT_TRUE(admitted(ours));
  for (auto& request : requests) request->got.reset();
}

}  // namespace
}  // namespace tollgate::gateway
