// Programs run through a real spawner.
#include "gateway/spawn/program_run.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>

#include "gateway/reasons.hpp"
#include "gateway/testing/forked_spawner.hpp"
#include "gateway/testing/quiet_observer.hpp"

namespace tollgate::gateway {
namespace {

using Ending = ProgramOutcome::Ending;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

class ProgramRun : public ::testing::Test {
 protected:
  void SetUp() override { client_.connect(spawner_.start()); }

  ProgramOutcome run(const std::string& script, std::string_view body = {}, SpawnLimits limits = {}) {
    StartProgram start;
    start.argv = {"/bin/sh", "-c", script};
    start.environment = {"PATH=/usr/bin:/bin"};
    start.limits = limits;
    return run(std::move(start), body);
  }

  ProgramOutcome run(StartProgram start, std::string_view body = {}) {
    std::optional<ProgramOutcome> outcome;
    output_.clear();
    observer_.lines.clear();
    const auto body_of = [&]() -> Task<> {
      GuestStderr lines(observer_, "id", "route");
      ProgramInput input{.start = std::move(start), .body = body};
      outcome =
          co_await run_program({client_, wheel_}, std::move(input), bounds_, cancellation_, output_, lines);
      loop_.stop();
    };
    loop_.restart();
    asio::co_spawn(loop_, body_of(), asio::detached);
    loop_.run_for(std::chrono::seconds(20));
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(ProgramOutcome{});
  }

  EventLoop loop_;
  TimerWheel wheel_{loop_};
  SpawnClient client_{loop_};
  testing::KeptLines observer_;
  http::Cancellation cancellation_;
  ProgramBounds bounds_{.output_bytes_max = 1u << 20, .stderr_bytes_max = 4096};
  std::string output_;
  testing::ForkedSpawner spawner_;
};

TEST_F(ProgramRun, gives_the_body_on_stdin_and_takes_the_answer_from_stdout) {
  const std::string body(300'000, 'b');
  const auto outcome = run("printf wasm:; cat", body);
  EXPECT_EQ(outcome.ending, Ending::done) << outcome.detail;
  EXPECT_EQ(output_, "wasm:" + body);
  EXPECT_GT(outcome.memory_bytes_peak, 0u);
}

TEST_F(ProgramRun, logs_complaints_by_line_and_not_without_end) {
  EXPECT_EQ(run("echo one >&2; echo two >&2").ending, Ending::done);
  EXPECT_THAT(observer_.lines, ElementsAre("one", "two"));
  EXPECT_EQ(run("yes complaint | head -c 1000000 >&2").ending, Ending::done);
  EXPECT_LT(observer_.lines.size(), 1000u);
  EXPECT_THAT(observer_.lines.back(), HasSubstr("cut"));
}

TEST_F(ProgramRun, tells_every_ending_apart) {
  EXPECT_EQ(run("exit 3").ending, Ending::exit_code);
  EXPECT_EQ(run("kill -SEGV $$").ending, Ending::signal);
  EXPECT_EQ(run("while :; do :; done", {}, {.cpu_seconds = 1}).ending, Ending::cpu);
  EXPECT_EQ(run("trap '' XCPU; while :; do :; done", {}, {.cpu_seconds = 1}).ending, Ending::cpu);
  EXPECT_EQ(run("yes").ending, Ending::output);
  StartProgram missing;
  missing.argv = {"/no/such/program"};
  const auto outcome = run(std::move(missing));
  EXPECT_EQ(outcome.ending, Ending::start);
  EXPECT_THAT(outcome.detail, HasSubstr("No such file"));
  EXPECT_EQ(run("echo right").ending, Ending::done);
  EXPECT_EQ(output_, "right\n");
}

TEST_F(ProgramRun, ends_when_the_exchange_is_cancelled) {
  SteadyTimer later(loop_, std::chrono::milliseconds(100));
  later.async_wait([this](error_code) { cancellation_.cancel(reasons::deadline); });
  EXPECT_EQ(run("trap '' TERM; (setsid sleep 60 &); sleep 60").ending, Ending::cancelled);
}

TEST_F(ProgramRun, does_not_wait_for_a_stranger_who_holds_its_output) {
  UniqueFd stranger;
  SteadyTimer later(loop_, std::chrono::milliseconds(200));
  later.async_wait([&](error_code) {
    ASSERT_EQ(observer_.lines.size(), 1u);
    stranger.reset(open(("/proc/" + observer_.lines[0] + "/fd/1").c_str(), O_WRONLY | O_CLOEXEC));
  });
  EXPECT_EQ(run("echo $$ >&2; sleep 0.5; head -c 50000 /dev/zero").ending, Ending::done);
  EXPECT_TRUE(stranger);
  EXPECT_EQ(output_.size(), 50000u);
}

TEST_F(ProgramRun, leaves_no_descriptor_behind) {
  run("true");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) run(i % 2 == 0 ? "cat" : "yes", "body");
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ProgramRun, survives_the_death_of_its_spawner) {
  SteadyTimer later(loop_, std::chrono::milliseconds(100));
  later.async_wait([this](error_code) { spawner_.end_by(SIGKILL); });
  EXPECT_EQ(run("sleep 2").ending, Ending::start);
  EXPECT_EQ(run("true").ending, Ending::start);
}

TEST_F(ProgramRun, waits_for_the_next_spawner) {
  spawner_.end_by(SIGKILL);
  testing::ForkedSpawner next;
  SteadyTimer later(loop_, std::chrono::milliseconds(200));
  later.async_wait([&](error_code) { client_.connect(next.start()); });
  const auto outcome = run("echo right");
  EXPECT_EQ(outcome.ending, Ending::done) << outcome.detail;
  EXPECT_EQ(output_, "right\n");
}

TEST_F(ProgramRun, is_cancelled_while_it_waits_for_a_spawner) {
  spawner_.end_by(SIGKILL);
  EXPECT_EQ(run("true").ending, Ending::start);
  SteadyTimer later(loop_, std::chrono::milliseconds(100));
  later.async_wait([this](error_code) { cancellation_.cancel(reasons::deadline); });
  EXPECT_EQ(run("true").ending, Ending::cancelled);
}

}  // namespace
}  // namespace tollgate::gateway
