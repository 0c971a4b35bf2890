// No request sees anything of another: spies look for what earlier runs left, report it, and leave secrets of
// their own wherever a guest can.
#include <gtest/gtest.h>

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/testing/guests.hpp"

namespace tollgate::sandbox {
namespace {

using testing::Body;
using testing::Collected;
using testing::EngineUnderTest;

// A spy's report is one letter, '@' plus what it found: 1 a byte in memory that should be zero, 4 another
// size, 8 a global, 16 a table entry, 32 a byte in grown memory, 64 an environment that nobody gave. The
// program's initial data follow.
// A dropped segment that stayed dropped traps before the report. Then it writes secrets, and ends as the
// first byte of its input says: t trap, x exit code, l loop, s sleep, else it returns.
std::string spy(int memory_pages, std::string_view data, int secret_stride) {
  const std::string pages = std::to_string(memory_pages);
  return R"((module
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") )" +
         pages + R"( 400)
    (data (i32.const 4096) ")" +
         std::string(data) + R"(")
    (data $passive "passive!")
    (table $table 8 64 funcref)
    (elem (table $table) (i32.const 0) func $f $f)
    (elem $spare func $f)
    (global $small (mut i32) (i32.const 7))
    (global $large (mut i64) (i64.const 0))
    (global $found (mut i32) (i32.const 64))
    (func $f)
    (func $note (param i32) (global.set $found (i32.or (global.get $found) (local.get 0))))
    (func $scan (param $from i32) (param $to i32) (param $bit i32)
      (block $end (loop $next
        (br_if $end (i32.ge_u (local.get $from) (local.get $to)))
        (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then (call $note (local.get $bit)) (return)))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br $next))))
    (func $look (local $size i32) (local $i i32)
      (local.set $size (i32.mul (memory.size) (i32.const 65536)))
      (call $scan (i32.const 0) (i32.const 4096) (i32.const 1))
      (call $scan (i32.const 4104) (local.get $size) (i32.const 1))
      (memory.init $passive (i32.const 16) (i32.const 0) (i32.const 8))
      (table.init $table $spare (i32.const 2) (i32.const 0) (i32.const 1))
      (table.set $table (i32.const 2) (ref.null func))
      (if (i32.ne (memory.size) (i32.const )" +
         pages + R"()) (then (call $note (i32.const 4))))
      (if (i32.ne (global.get $small) (i32.const 7)) (then (call $note (i32.const 8))))
      (if (i64.ne (global.get $large) (i64.const 0)) (then (call $note (i32.const 8))))
      (if (i32.ne (table.size $table) (i32.const 8)) (then (call $note (i32.const 16))))
      (local.set $i (i32.const 2))
      (loop $entries
        (if (i32.eqz (ref.is_null (table.get $table (local.get $i)))) (then (call $note (i32.const 16))))
        (br_if $entries (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (table.size $table))))
      (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))
      (call $scan (local.get $size) (i32.add (local.get $size) (i32.const 131072)) (i32.const 32))
      (drop (call $environ_sizes (i32.const 32) (i32.const 36)))
      (if (i32.load (i32.const 32)) (then (call $note (i32.const 64)))))
    (func $say
      (i32.store8 (i32.const 64) (global.get $found))
      (i32.store (i32.const 40) (i32.const 64))
      (i32.store (i32.const 44) (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 40) (i32.const 1) (i32.const 48)))
      (i32.store (i32.const 40) (i32.const 4096))
      (i32.store (i32.const 44) (i32.const 8))
      (drop (call $fd_write (i32.const 1) (i32.const 40) (i32.const 1) (i32.const 48))))
    (func $leave (local $at i32)
      (global.set $small (i32.const 0x5ec2e7))
      (global.set $large (i64.const 0x5ec2e75ec2e7))
      (table.fill $table (i32.const 0) (ref.func $f) (i32.const 8))
      (drop (table.grow $table (ref.func $f) (i32.const 20)))
      (data.drop $passive)
      (elem.drop $spare)
      (local.set $at (i32.const 128))
      (loop $fill
        (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e7))
        (local.set $at (i32.add (local.get $at) (i32.const )" +
         std::to_string(secret_stride) + R"()))
        (br_if $fill (i32.lt_u (local.get $at) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))))
      (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)) (i32.const 0x5e) (i32.const 65536)))
    (func (export "_start") (local $how i32)
      (call $look)
      (call $say)
      (i32.store (i32.const 40) (i32.const 64))
      (i32.store (i32.const 44) (i32.const 1))
      (drop (call $fd_read (i32.const 0) (i32.const 40) (i32.const 1) (i32.const 48)))
      (local.set $how (i32.load8_u (i32.const 64)))
      (call $leave)
      (if (i32.eq (local.get $how) (i32.const 116)) (then unreachable))
      (if (i32.eq (local.get $how) (i32.const 120)) (then (call $proc_exit (i32.const 3))))
      (if (i32.eq (local.get $how) (i32.const 108)) (then (loop $forever (br $forever))))
      (if (i32.eq (local.get $how) (i32.const 115)) (then
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
        (i32.store (i32.const 1040) (i32.const 1))
        (i64.store (i32.const 1048) (i64.const 3600000000000))
        (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 48)))))))
  )";
}

constexpr std::string_view first_data = "FIRST-01";
constexpr std::string_view second_data = "second-2";

// One run that is begun and perhaps never ended.
struct Begun {
  explicit Begun(Program& program, std::string_view how, std::span<const std::string_view> environment)
      : source(how), run(program.start(Input{.body = &source, .environment = environment}, sink)) {}

  Body source;
  Collected sink;
  std::unique_ptr<Run> run;
};

class LeakTest : public ::testing::TestWithParam<EngineUnderTest> {
 protected:
  // Runs to the end, or two slices of it for those that do not end, and checks the report.
  static Ending check(Program& program, std::string_view how, std::string_view data) {
    Begun begun(program, how, {});
    Run::State state = begun.run->resume();
    if (state != Run::State::ended && how != "l" && how != "s") {
      while (state == Run::State::runnable) state = begun.run->resume();
    }
    if (how == "l" || how == "s") {
      while (begun.sink.out.size() < 9 && state == Run::State::runnable) state = begun.run->resume();
      begun.run->cancel();
      state = begun.run->resume();
    }
    EXPECT_EQ(state, Run::State::ended);
    EXPECT_EQ(begun.sink.out, "@" + std::string(data)) << "how: " << how;
    return begun.run->take_outcome().ending;
  }

  static void expect(Program& program, std::string_view how, std::string_view data) {
    const Ending ending = check(program, how, data);
    const Ending expected = how == "t"                 ? Ending::trap
                            : how == "x"               ? Ending::exit_code
                            : how == "l" || how == "s" ? Ending::cancelled
                                                       : Ending::done;
    ASSERT_EQ(static_cast<int>(ending), static_cast<int>(expected)) << "how: " << how;
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, LeakTest, ::testing::ValuesIn(testing::engines()),
                         [](const auto& engine) { return std::string(engine.param.name); });

TEST_P(LeakTest, ten_thousand_interleaved_runs_of_two_programs_see_nothing_of_each_other) {
  const auto engine = GetParam().make();
  const auto first = engine->load(spy(4, first_data, 9000));
  auto second = engine->load(spy(7, second_data, 5000));
  constexpr std::array<std::string_view, 8> ways = {"n", "t", "n", "x", "n", "l", "s", "n"};
  for (int i = 0; i < 10'000 && !HasFatalFailure(); ++i) {
    expect(i % 2 == 0 ? *first : *second, ways[static_cast<std::size_t>(i / 2) % ways.size()],
           i % 2 == 0 ? first_data : second_data);
    if (i % 1000 == 999) second = engine->load(spy(7, second_data, 5000));  // the old one is unloaded
  }
}

// What this process has mapped, as the kernel tells it.
struct Mapped {
  std::size_t mappings = 0;
  std::uint64_t bytes = 0;
  std::uint64_t executable_bytes = 0;
};
Mapped mapped() {
  Mapped all;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end, rights) != 3) continue;
    ++all.mappings;
    all.bytes += end - begin;
    if (rights[2] == 'x') all.executable_bytes += end - begin;
  }
  return all;
}

TEST_P(LeakTest, an_unloaded_program_gives_back_its_slots_mappings_and_code) {
  // Address space that each slot reserves, at least.
  constexpr std::uint64_t slot_bytes = std::uint64_t{4} << 30;
  constexpr std::uint64_t heap_growth_bytes_max = 64u << 20;
  constexpr std::size_t heap_mappings_max = 8;
  const auto engine = GetParam().make();
  const auto use = [&engine] {
    const auto program = engine->load(spy(4, first_data, 4096));
    std::vector<std::unique_ptr<Begun>> suspended;
    for (const char* const how : {"s", "l", "s"}) {
      suspended.push_back(std::make_unique<Begun>(*program, how, std::span<const std::string_view>{}));
      (void)suspended.back()->run->resume();
    }
    for (const char* const how : {"n", "t", "x", "n"}) expect(*program, how, first_data);
    return mapped();
  };
  use();  // what the engine keeps for any program: stacks, its allocator
  const Mapped before = mapped();
  for (int i = 0; i < 20; ++i) {
    const Mapped during = use();
    EXPECT_GT(during.executable_bytes, before.executable_bytes);
    EXPECT_GT(during.bytes, before.bytes + 4 * slot_bytes);
  }
  const Mapped after = mapped();
  EXPECT_EQ(after.executable_bytes, before.executable_bytes);
  EXPECT_LT(after.bytes, before.bytes + heap_growth_bytes_max);
  EXPECT_LE(after.mappings, before.mappings + heap_mappings_max);
}

TEST_P(LeakTest, runs_beside_suspended_ones_see_nothing_of_them) {
  const auto engine = GetParam().make();
  const auto first = engine->load(spy(4, first_data, 9000));
  const auto second = engine->load(spy(7, second_data, 5000));
  std::vector<std::unique_ptr<Begun>> suspended;
  const std::array<std::string_view, 1> secret = {"SECRET=5ec2e7"};
  for (int i = 0; i < 200 && !HasFatalFailure(); ++i) {
    suspended.push_back(
        std::make_unique<Begun>(i % 3 == 0 ? *second : *first, i % 2 == 0 ? "s" : "l", secret));
    (void)suspended.back()->run->resume();
    if (suspended.size() > 20) suspended.erase(suspended.begin() + i % 20);
    expect(*first, "n", first_data);
    expect(*second, "t", second_data);
  }
}

TEST_P(LeakTest, memories_that_were_opened_as_a_whole_or_decayed_are_clean) {
  const auto engine = GetParam().make();
  const auto wide = engine->load(spy(200, first_data, 4096));  // every page of 12.5 MiB
  const auto narrow = engine->load(spy(200, second_data, 900'000));
  for (int i = 0; i < 30 && !HasFatalFailure(); ++i) expect(*wide, i % 2 == 0 ? "n" : "t", first_data);
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i) expect(*narrow, "n", second_data);
}

}  // namespace
}  // namespace tollgate::sandbox
