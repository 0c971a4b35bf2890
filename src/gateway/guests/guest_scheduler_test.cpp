#include "gateway/guests/guest_scheduler.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "gateway/reasons.hpp"
#include "gateway/testing/fake_guest.hpp"

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;
using sandbox::Run;
using testing::FakeRun;
using testing::Script;
using testing::Slice;

const Slice ends{Run::State::ended};
const Slice yields{Run::State::runnable};

Script slices(int yielded) {
  Script script;
  for (int i = 0; i < yielded; ++i) script.slices.push_back(yields);
  script.slices.push_back(ends);
  return script;
}

class Scheduler : public ::testing::Test {
 protected:
  // One guest and the coroutine that wants its outcome; every resume and the end are told to `trace`.
  struct Started {
    Started(Script script, std::string given_name)
        : run(std::move(script), {}, nullptr), name(std::move(given_name)) {}
    FakeRun run;
    std::string name;
    http::Cancellation cancellation;
    GuestScheduler::Guest* guest = nullptr;
    bool ended = false;
  };

  Started& start(Script script, std::string name, std::uint32_t route = 0) {
    Started& started = *all.emplace_back(std::make_unique<Started>(std::move(script), std::move(name)));
    started.run.on_resume = [this, &started] { trace += started.name; };
    asio::co_spawn(loop.get_executor(), serve(started, route), asio::detached);
    return started;
  }
  Task<> serve(Started& started, std::uint32_t route) {
    trace += "<" + started.name + ">";
    GuestScheduler::Guest guest(scheduler, started.run, route, started.cancellation);
    started.guest = &guest;
    if (!guest.try_first_slice()) co_await guest.ended();
    started.guest = nullptr;
    started.ended = true;
    trace += "(" + started.name + ")";
  }
  void run_for(std::chrono::milliseconds limit) { loop.run_for(limit); }

  EventLoop loop{BOOST_ASIO_CONCURRENCY_HINT_1};
  std::unique_ptr<WorkerMark> mark = std::make_unique<WorkerMark>();
  GuestScheduler scheduler{loop.get_executor(), *mark};
  std::vector<std::unique_ptr<Started>> all;
  std::string trace;
};

TEST_F(Scheduler, ends_a_quick_guest_without_suspending_its_coroutine) {
  start(slices(0), "a");
  EXPECT_EQ(loop.poll_one(), 1u);
  EXPECT_EQ(trace, "<a>a(a)");
}

TEST_F(Scheduler, gives_one_slice_per_turn_by_turns) {
  start(slices(2), "a");
  start(slices(2), "b");
  loop.run();
  // b comes when a's slice has used the turn up: it is queued, and goes before a's second slice.
  EXPECT_EQ(trace, "<a>a<b>baba(a)b(b)");
}

TEST_F(Scheduler, lets_the_loop_do_other_things_between_two_slices) {
  start(slices(20), "s");
  int others = 0;
  std::function<void()> other = [&] {
    trace += '.';
    if (++others < 10) asio::post(loop, other);
  };
  asio::post(loop, other);
  loop.run();
  const std::string while_others_were_ready = trace.substr(0, trace.rfind('.'));
  EXPECT_EQ(while_others_were_ready.find("ss"), std::string::npos) << trace;
  EXPECT_TRUE(all[0]->ended);
}

TEST_F(Scheduler, lets_a_socket_that_became_ready_during_a_slice_go_before_the_next) {
  int ends_of_pipe[2];
  ASSERT_EQ(::pipe2(ends_of_pipe, O_CLOEXEC), 0);
  asio::posix::stream_descriptor reader(loop, ends_of_pipe[0]);
  const UniqueFd writer(ends_of_pipe[1]);
  reader.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code) { trace += '!'; });
  Started& started = start(slices(6), "s");
  int resumed = 0;
  started.run.on_resume = [&] {
    trace += 's';
    if (++resumed == 4) {
      EXPECT_EQ(::write(writer.get(), "x", 1), 1);
    }
  };
  loop.run();
  EXPECT_EQ(trace, "<s>ssss!sss(s)");
}

TEST_F(Scheduler, takes_turns_by_route_and_not_by_guest) {
  for (int i = 0; i < 4; ++i) start(slices(8), "a", 1);
  start(slices(8), "b", 2);
  loop.run();
  // Every second slice is b's, although a's route has four times the guests; the first slices of a's come on
  // top.
  const std::string until_b_ended = trace.substr(0, trace.find("(b)"));
  EXPECT_LE(std::count(until_b_ended.begin(), until_b_ended.end(), 'a'), 4 + 4 + 9) << trace;
}

TEST_F(Scheduler, runs_a_fresh_guest_ahead_of_thirty_two_that_spin) {
  for (int i = 0; i < 32; ++i) start(slices(50), "s", 1);
  while (scheduler.queued() < 32 || trace.size() < 40) loop.poll_one();
  trace.clear();
  Started& fresh = start(slices(0), "f", 2);
  while (!fresh.ended) loop.poll_one();
  const std::size_t arrived = trace.find("<f>") + 3;
  EXPECT_LE(trace.find("f(f)"), arrived + 2) << trace;
  loop.run();  // the others end too
}

TEST_F(Scheduler, queues_first_slices_once_ended_guests_add_up_to_one) {
  start(slices(0), "a");
  loop.run();
  scheduler.charge(2ms);
  loop.restart();
  Started& next = start(slices(0), "b");
  loop.poll();  // b is queued, for the next turn comes behind it
  EXPECT_TRUE(next.ended);
  EXPECT_EQ(trace, "<a>a(a)<b>b(b)");
}

TEST_F(Scheduler, wakes_sleepers_in_time_without_entering_them_before) {
  Script script = slices(0);
  script.slices.push_front({Run::State::waiting, 30ms});
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 500; ++i) start(script, "z");
  loop.run();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 30ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  for (const auto& one : all) {
    EXPECT_TRUE(one->ended);
    EXPECT_EQ(one->run.resumed, 2);
  }
}

TEST_F(Scheduler, wakes_a_guest_that_waits_for_its_source) {
  Script script = slices(0);
  script.slices.push_front({Run::State::waiting});
  Started& one = start(script, "w");
  loop.poll();
  EXPECT_EQ(trace, "<w>w");
  ASSERT_NE(one.guest, nullptr);
  loop.restart();
  one.guest->wake();
  loop.poll();
  EXPECT_EQ(trace, "<w>ww(w)");
}

TEST_F(Scheduler, cancels_whoever_sleeps_waits_or_spins_at_the_next_turn) {
  Script sleeps;
  sleeps.slices.push_back({Run::State::waiting, 1h});
  Script waits;
  waits.slices.push_back({Run::State::waiting});
  Script spins;
  spins.slices.push_back(yields);
  for (const Script& script : {sleeps, waits, spins}) start(script, "x", 7);
  for (int i = 0; i < 20; ++i) loop.poll_one();
  for (const auto& one : all) {
    EXPECT_FALSE(one->ended);
    one->cancellation.cancel(reasons::deadline);
  }
  run_for(1s);
  for (const auto& one : all) {
    EXPECT_TRUE(one->ended);
    EXPECT_EQ(one->run.take_outcome().ending, sandbox::Ending::cancelled);
  }
  EXPECT_EQ(scheduler.queued(), 0u);
}

TEST_F(Scheduler, marks_the_route_only_while_its_guest_runs) {
  Started& one = start(slices(1), "m", 41);
  std::vector<std::uint32_t> seen;
  one.run.on_resume = [&] { seen.push_back(mark->entered_route.load()); };
  loop.run();
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{42, 42}));
  EXPECT_EQ(mark->entered_route.load(), WorkerMark::no_route);
}

}  // namespace
}  // namespace tollgate::gateway
