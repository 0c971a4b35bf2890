#include "sandbox/wasmtime/run.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "sandbox/testing/guests.hpp"
#include "sandbox/wasmtime/engine.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sanitizer.hpp"

namespace tollgate::sandbox {
namespace {

using testing::assemble;
using testing::compile;
using testing::Finished;
using testing::load_text;
using testing::run;
using tollgate::testing::sanitizer_memory_factor;
using tollgate::testing::sanitizer_slowdown;

constexpr std::string_view hello = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

std::string sleeping(std::int64_t nanoseconds) {
  return R"((module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (i32.store (i32.const 16) (i32.const 1))  ;; the monotonic clock
      (i64.store (i32.const 24) (i64.const )" +
         std::to_string(nanoseconds) + R"())
      (if (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)) (then unreachable)))))";
}

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = WasmtimeEngine::create();
    ASSERT_TRUE(made.has_value()) << made.error();
    engine_ = std::move(*made);
  }

  std::unique_ptr<WasmtimeEngine> engine_;
};

TEST_F(RunTest, a_wasi_hello_runs_in_a_fresh_sandbox) {
  const auto program = load_text(*engine_, hello);
  for (int request = 0; request < 3; ++request) {
    const Finished finished = run(*program);
    EXPECT_EQ(finished.outcome.ending, Ending::done) << finished.outcome.detail;
    EXPECT_EQ(finished.out, "hello\n");
    EXPECT_EQ(finished.slices, 1);
    EXPECT_EQ(finished.outcome.costs.memory_bytes, 65536u);
    EXPECT_EQ(finished.outcome.costs.hot_pages, 1u);
  }
}

TEST_F(RunTest, a_trap_is_told_by_its_text) {
  const auto program =
      load_text(*engine_, R"((module (memory (export "memory") 1) (func (export "_start") unreachable)))");
  const Finished finished = run(*program);
  EXPECT_EQ(finished.outcome.ending, Ending::trap);
  EXPECT_NE(finished.outcome.detail.find("unreachable"), std::string::npos) << finished.outcome.detail;
}

TEST_F(RunTest, a_loop_yields_at_ticks_and_ends_at_its_cpu_budget) {
  const auto program =
      load_text(*engine_, R"((module (memory (export "memory") 1) (func (export "_start") (loop (br 0)))))");
  const Finished finished = run(*program, {}, {.cpu_max = std::chrono::milliseconds(20)});
  EXPECT_EQ(finished.outcome.ending, Ending::cpu);
  EXPECT_GT(finished.slices, 10);
  EXPECT_LT(finished.slices, 40);
  EXPECT_GE(finished.outcome.costs.cpu, std::chrono::milliseconds(20));
}

TEST_F(RunTest, a_sleep_waits_without_holding_the_thread) {
  const auto program = load_text(*engine_, sleeping(20'000'000));
  const auto begun = std::chrono::steady_clock::now();
  const Finished finished = run(*program);
  EXPECT_EQ(finished.outcome.ending, Ending::done) << finished.outcome.detail;
  EXPECT_EQ(finished.slices, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(20));
}

// A module with one page of memory and `body` as its _start.
std::string command(std::string_view body, std::string_view memory = "1") {
  return R"((module
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") )" +
         std::string(memory) + R"()
    (func (export "_start") )" +
         std::string(body) + "))";
}

std::string exiting(int code) {
  return command("(call $proc_exit (i32.const " + std::to_string(code) + "))");
}

TEST_F(RunTest, exit_codes_are_told) {
  EXPECT_EQ(run(*load_text(*engine_, exiting(0))).outcome.ending, Ending::done);
  const Finished finished = run(*load_text(*engine_, exiting(3)));
  EXPECT_EQ(finished.outcome.ending, Ending::exit_code);
  EXPECT_EQ(finished.outcome.exit_code, 3);
}

TEST_F(RunTest, what_a_guest_does_wrong_is_a_trap_with_its_reason) {
  struct Case {
    std::string body;
    std::string_view reason;
  };
  const Case cases[] = {
      {"(drop (i32.load (i32.const 65536)))", "out of bounds"},
      {"(drop (i32.load offset=4294967295 (i32.const -1)))", "out of bounds"},
      {"(i32.store (i32.const 65533) (i32.const 1))", "out of bounds"},
      {"(drop (i32.div_s (i32.const 1) (i32.const 0)))", "divide by zero"},
      {"(call 1)", "stack"},
  };
  for (const Case& bad : cases) {
    const auto program = load_text(*engine_, command(bad.body));
    for (int again = 0; again < 2; ++again) {
      const Finished finished = run(*program);
      EXPECT_EQ(finished.outcome.ending, Ending::trap) << bad.body;
      EXPECT_NE(finished.outcome.detail.find(bad.reason), std::string::npos) << finished.outcome.detail;
      EXPECT_EQ(finished.outcome.detail.find('\n'), std::string::npos) << "one line of the log";
    }
  }
}

TEST_F(RunTest, a_start_function_runs_before_the_entry_and_is_interrupted_like_it) {
  const auto program = load_text(*engine_, R"((module (memory (export "memory") 1)
    (func $start (loop (br 0))) (start $start) (func (export "_start"))))");
  const Finished finished = run(*program, {}, {.cpu_max = std::chrono::milliseconds(10)});
  EXPECT_EQ(finished.outcome.ending, Ending::cpu);
  EXPECT_GT(finished.slices, 4);
}

TEST_F(RunTest, a_refused_growth_is_a_memory_ending_only_if_the_run_fails) {
  const Limits limits{.memory_bytes_max = 1u << 20};
  constexpr std::string_view grow = "(drop (memory.grow (i32.const 17)))";
  EXPECT_EQ(run(*load_text(*engine_, command(grow)), {}, limits).outcome.ending, Ending::done);
  const auto failing = load_text(*engine_, command(std::string(grow) + "unreachable"));
  EXPECT_EQ(run(*failing, {}, limits).outcome.ending, Ending::memory);
  EXPECT_EQ(run(*failing, {}, {.memory_bytes_max = 8u << 20}).outcome.ending, Ending::trap);
  const auto aborting = load_text(*engine_, command(std::string(grow) + "(call $proc_exit (i32.const 1))"));
  EXPECT_EQ(run(*aborting, {}, limits).outcome.ending, Ending::memory);
}

TEST_F(RunTest, an_initial_memory_beyond_the_limit_is_a_memory_ending) {
  const auto program = load_text(*engine_, command("", "32"));
  EXPECT_EQ(run(*program, {}, {.memory_bytes_max = 1u << 20}).outcome.ending, Ending::memory);
}

TEST_F(RunTest, a_growth_up_to_the_limit_is_granted_and_zeroed) {
  const auto program = load_text(*engine_, command(R"(
    (if (i32.ne (memory.grow (i32.const 15)) (i32.const 1)) (then unreachable))
    (if (i32.load (i32.const 1048572)) (then unreachable))
    (i32.store (i32.const 1048572) (i32.const 1)))"));
  for (int i = 0; i < 3; ++i) {
    const Finished finished = run(*program, {}, {.memory_bytes_max = 1u << 20});
    EXPECT_EQ(finished.outcome.ending, Ending::done) << finished.outcome.detail;
    EXPECT_EQ(finished.outcome.costs.memory_bytes, 1u << 20);
  }
}

TEST_F(RunTest, writing_every_second_page_neither_fails_nor_uses_up_the_mappings) {
  const auto program = load_text(*engine_, command(R"((local i32)
    (loop (i32.store8 (local.get 0) (i32.const 1))
      (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 8192))) (i32.const 104857600)))))",
                                                   "1600"));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(run(*program).outcome.ending, Ending::done);
  EXPECT_LT(engine_->budget().used(), 100);
}

TEST_F(RunTest, without_mappings_left_a_run_ends_with_capacity) {
  auto small =
      WasmtimeEngine::create({.mappings_max = program_mappings + slot_mappings_base + stack_mappings});
  ASSERT_TRUE(small.has_value());
  const auto program = load_text(**small, sleeping(1'000'000));
  testing::Body body("");
  testing::Collected sink;
  const Input input{.body = &body};
  const auto first = program->start(input, sink);
  const auto second = program->start(input, sink);
  EXPECT_EQ(first->resume(), sandbox::Run::State::waiting);
  EXPECT_EQ(second->resume(), sandbox::Run::State::ended);
  EXPECT_EQ(second->take_outcome().ending, Ending::capacity);
  first->cancel();
  EXPECT_EQ(first->resume(), sandbox::Run::State::ended);
  EXPECT_EQ(first->take_outcome().ending, Ending::cancelled);
  EXPECT_EQ(run(*program).outcome.ending, Ending::done) << "what was given back can be used again";
}

TEST_F(RunTest, without_mappings_left_no_program_is_loaded_and_one_that_goes_makes_room) {
  auto small = WasmtimeEngine::create({.mappings_max = program_mappings});
  ASSERT_TRUE(small.has_value());
  const auto load = [&small] { return (*small)->load(compile(**small, assemble(hello))); };
  auto program = load();
  ASSERT_TRUE(program.has_value()) << program.error();
  const auto second = load();
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find("vm.max_map_count"), std::string::npos) << second.error();
  program->reset();
  EXPECT_TRUE(load().has_value());
}

TEST_F(RunTest, a_loop_of_bulk_fills_ends_soon_after_its_budget) {
  const auto program = load_text(*engine_, command(R"(
    (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 134217728)) (br 0)))",
                                                   "2048"));
  const auto begun = std::chrono::steady_clock::now();
  const Finished finished = run(*program, {}, {.cpu_max = std::chrono::milliseconds(50)});
  EXPECT_EQ(finished.outcome.ending, Ending::cpu);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(3) * sanitizer_slowdown);
}

TEST_F(RunTest, a_cancelled_run_ends_wherever_it_is) {
  const auto looping = load_text(*engine_, command("(loop (br 0))"));
  const Input input{};
  testing::Collected sink;
  const auto unborn = looping->start(input, sink);
  unborn->cancel();
  EXPECT_EQ(unborn->resume(), sandbox::Run::State::ended);
  EXPECT_EQ(unborn->take_outcome().ending, Ending::cancelled);

  const auto suspended = looping->start(input, sink);
  EXPECT_EQ(suspended->resume(), sandbox::Run::State::runnable);
  suspended->cancel();
  EXPECT_EQ(suspended->resume(), sandbox::Run::State::ended);
  EXPECT_EQ(suspended->take_outcome().ending, Ending::cancelled);
}

TEST_F(RunTest, runs_may_be_dropped_in_any_state_and_give_everything_back) {
  auto program = load_text(*engine_, command("(loop (br 0))"));
  const auto idle = engine_->budget().used();
  testing::Collected sink;
  {
    std::vector<std::unique_ptr<sandbox::Run>> runs;
    for (int i = 0; i < 30; ++i) {
      runs.push_back(program->start(Input{}, sink));
      if (i % 3 != 0) (void)runs.back()->resume();
    }
    EXPECT_GT(engine_->budget().used(), idle);
  }
  program.reset();
  EXPECT_EQ(engine_->budget().used(), static_cast<std::int64_t>(engine_->stacks().idle()) * stack_mappings);
}

TEST_F(RunTest, a_full_sink_suspends_the_guest_and_the_same_write_is_asked_again) {
  class FullTwice final : public Sink {
   public:
    State write(std::string_view bytes) override {
      if (++asked_ <= 2) return State::full;
      out_ += bytes;
      return State::accepted;
    }
    void log(std::string_view) override {}
    int asked_ = 0;
    std::string out_;
  } sink;
  const auto program = load_text(*engine_, hello);
  const auto waiting = program->start(Input{}, sink);
  EXPECT_EQ(waiting->resume(), sandbox::Run::State::waiting);
  EXPECT_EQ(waiting->wake_at(), std::nullopt);
  EXPECT_EQ(waiting->resume(), sandbox::Run::State::waiting);
  EXPECT_EQ(waiting->resume(), sandbox::Run::State::ended);
  EXPECT_EQ(sink.out_, "hello\n");
  EXPECT_EQ(sink.asked_, 3);
}

TEST_F(RunTest, more_output_than_allowed_ends_the_run) {
  const auto program = load_text(*engine_, hello);
  EXPECT_EQ(run(*program, {}, {.output_bytes_max = 5}).outcome.ending, Ending::output);
  EXPECT_EQ(run(*program, {}, {.output_bytes_max = 6}).outcome.ending, Ending::done);
}

TEST_F(RunTest, a_guest_whose_slices_are_cut_is_ticked_each_millisecond_and_a_brief_one_is_not) {
  const EpochTicker& ticker = engine_->ticker();
  const auto precise_ends = [&ticker] {
    return tollgate::testing::eventually([&ticker] { return !ticker.precise(); });
  };
  testing::Collected sink;
  const auto looping = load_text(*engine_, command("(loop (br 0))"));
  const auto guest = looping->start(Input{}, sink);
  for (int slice = 0; slice < 3; ++slice) {
    EXPECT_EQ(guest->resume(), sandbox::Run::State::runnable);
    EXPECT_TRUE(ticker.precise());
  }
  EXPECT_TRUE(precise_ends());

  const auto brief = load_text(*engine_, hello);
  bool off_after_one = false;  // the watch may meet one of them, but not each
  for (int i = 0; i < 5; ++i) {
    (void)run(*brief);
    off_after_one |= !ticker.precise();
    EXPECT_TRUE(precise_ends());
  }
  EXPECT_TRUE(off_after_one);
}

std::int64_t private_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::int64_t kib = 0;
  for (std::string line; std::getline(rollup, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t value = 0;
    words >> name >> value;
    if (name == "Private_Dirty:" || name == "Private_Clean:") kib += value;
  }
  return kib * 1024;
}

TEST_F(RunTest, five_hundred_sleeping_guests_take_little_private_memory_each) {
  constexpr int sleepers = 500;
  const auto program = load_text(*engine_, sleeping(3'600'000'000'000));
  testing::Collected sink;
  std::vector<std::unique_ptr<sandbox::Run>> runs;
  const auto sleep = [&] {
    runs.push_back(program->start(Input{}, sink));
    while (runs.back()->resume() == sandbox::Run::State::runnable) {  // a tick may fall into its first slice
    }
  };
  sleep();
  const std::int64_t before = private_bytes();
  for (int i = 0; i < sleepers; ++i) sleep();
  const std::int64_t each = (private_bytes() - before) / sleepers;
  RecordProperty("private_bytes_each", static_cast<int>(each));
  std::printf("%lld bytes of private memory each\n", static_cast<long long>(each));
  EXPECT_LE(each, (64 << 10) * sanitizer_memory_factor);
}

std::int64_t mappings() {
  std::ifstream maps("/proc/self/maps");
  return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
}

TEST_F(RunTest, a_thousand_loaded_programs_take_little_private_memory_each_and_the_mappings_counted) {
  constexpr int programs = 1000;
  constexpr std::int64_t heap_mappings_max = 100;
  const BundleFds bundle = testing::compile(*engine_, testing::assemble(hello));
  const auto load = [&] {
    return *engine_->load(
        {bundle.manifest, UniqueFd(::dup(bundle.code.get())), UniqueFd(::dup(bundle.image.get()))});
  };
  std::vector<std::shared_ptr<Program>> loaded = {load()};
  const std::int64_t before = private_bytes();
  const std::int64_t mappings_before = mappings();
  for (int i = 0; i < programs; ++i) loaded.push_back(load());
  EXPECT_LE(mappings() - mappings_before, programs * program_mappings + heap_mappings_max);
  const std::int64_t each = (private_bytes() - before) / programs;
  std::printf("%lld bytes of private memory each\n", static_cast<long long>(each));
  EXPECT_LE(each, (16 << 10) * sanitizer_memory_factor);
  EXPECT_EQ(run(*loaded.back()).out, "hello\n");
}

}  // namespace
}  // namespace tollgate::sandbox
