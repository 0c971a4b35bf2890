#include "sandbox/wasmtime/run.hpp"

#include <gtest/gtest.h>

#include "sandbox/testing/guests.hpp"
#include "sandbox/wasmtime/engine.hpp"

namespace tollgate::sandbox {
namespace {

using testing::Finished;
using testing::load_text;
using testing::run;

constexpr std::string_view hello = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "hello\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

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
  const auto program = load_text(*engine_, R"((module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (i32.store (i32.const 16) (i32.const 1))           ;; a monotonic clock
      (i64.store (i32.const 24) (i64.const 20000000))    ;; 20 ms
      (if (call $poll (i32.const 0) (i32.const 128) (i32.const 1) (i32.const 256)) (then unreachable)))))");
  const auto begun = std::chrono::steady_clock::now();
  const Finished finished = run(*program);
  EXPECT_EQ(finished.outcome.ending, Ending::done) << finished.outcome.detail;
  EXPECT_EQ(finished.slices, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace tollgate::sandbox
