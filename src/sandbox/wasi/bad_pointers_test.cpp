// Every pointer argument of every function of preview 1, out of bounds in every way: an errno, never a crash,
// and never a byte outside of the guest's memory.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasi/testing.hpp"

namespace tollgate::sandbox {
namespace {

using testing::StringSink;
using testing::StringSource;

constexpr std::uint32_t memory_bytes = 64 * 1024;
constexpr std::size_t guard_bytes = 4096;  // around the memory, to see writes that miss it
constexpr std::uint8_t guard_mark = 0xa5;
constexpr std::size_t slots_max = 9;

// Addresses and lengths that are wrong by themselves or together with another.
constexpr std::uint32_t bad_values[] = {0,
                                        1,
                                        2,
                                        3,
                                        8,
                                        0xffff,
                                        memory_bytes - 8,
                                        memory_bytes - 7,
                                        memory_bytes - 1,
                                        memory_bytes,
                                        memory_bytes + 1,
                                        0x7fffffff,
                                        0x80000000,
                                        0xfffffff8,
                                        0xffffffff};

class GuardedGuest {
 public:
  GuardedGuest() : bytes_(memory_bytes + 2 * guard_bytes, guard_mark) {
    std::memset(base(), 0, memory_bytes);
    // A plausible iovec at the end and one that wraps round, for whoever points there.
    const std::uint32_t wrapping[] = {0xfffffff0, 0x20};
    std::memcpy(base() + memory_bytes - 8, wrapping, sizeof wrapping);
  }

  HostCall call(const HostFunction& function, const std::array<std::uint64_t, slots_max>& arguments) {
    const Input input{
        .body = &source_, .args = args_, .environment = environment_, .directories = {}, .limits = limits_};
    Preview1 state(input, sink_);
    HostCall said = HostCall::wait;
    for (int turns = 0; said == HostCall::wait && turns < 3; ++turns) {
      std::array<HostValue, slots_max> slots;
      for (std::size_t i = 0; i < slots_max; ++i) slots[i].u64 = arguments[i];
      said = function.call(state, {base(), memory_bytes}, slots.data());
      if (said == HostCall::done) error_ = slots[0].u64;
    }
    return said;
  }
  std::uint64_t error() const { return error_; }

  bool guards_are_whole() const {
    for (std::size_t i = 0; i < guard_bytes; ++i) {
      if (bytes_[i] != guard_mark || bytes_[bytes_.size() - 1 - i] != guard_mark) return false;
    }
    return true;
  }

 private:
  std::uint8_t* base() { return bytes_.data() + guard_bytes; }

  std::vector<std::uint8_t> bytes_;
  std::array<std::string_view, 2> args_{"guest", "word"};
  std::array<std::string_view, 2> environment_{"A=1", "LONG=0123456789012345678901234567890123456789"};
  Limits limits_;
  StringSource source_{"a body"};
  StringSink sink_;
  std::uint64_t error_ = 0;
};

class BadPointers : public ::testing::TestWithParam<HostFunction> {
 protected:
  static std::size_t arguments_of(const HostFunction& function) { return function.signature.find(':'); }
};

INSTANTIATE_TEST_SUITE_P(All, BadPointers,
                         ::testing::ValuesIn(preview1_functions().begin(), preview1_functions().end()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(BadPointers, are_an_errno_and_touch_nothing_outside) {
  const HostFunction& function = GetParam();
  const std::size_t arguments = arguments_of(function);
  GuardedGuest guest;
  // Each pair of arguments takes each pair of values; the rest is small and valid enough to get past earlier
  // checks.
  for (std::size_t first = 0; first < arguments; ++first) {
    for (std::size_t second = first; second < arguments; ++second) {
      for (const std::uint32_t a : bad_values) {
        for (const std::uint32_t b : bad_values) {
          std::array<std::uint64_t, slots_max> slots{1, 64, 1, 128, 256, 512, 8, 0, 1024};
          slots[first] = a;
          slots[second] = b;
          const HostCall said = guest.call(function, slots);
          const std::uint64_t error = said == HostCall::done ? guest.error() : 0;
          ASSERT_LE(error, static_cast<std::uint64_t>(wasi::Errno::notcapable)) << function.name;
        }
      }
    }
  }
  EXPECT_TRUE(guest.guards_are_whole()) << function.name;
}

TEST(BadResultPointers, are_fault) {
  struct Case {
    const char* name;
    std::array<std::uint64_t, slots_max> arguments;
  };
  constexpr std::uint64_t out = memory_bytes - 3;
  for (const Case& one : {Case{"args_sizes_get", {0, out}}, Case{"environ_get", {out, 0}},
                          Case{"environ_get", {0, out}}, Case{"clock_time_get", {0, 0, out}},
                          Case{"fd_fdstat_get", {1, out}}, Case{"fd_filestat_get", {1, out}},
                          Case{"fd_read", {0, out, 1, 0}}, Case{"fd_read", {0, memory_bytes - 8, 1, 0}},
                          Case{"fd_write", {1, 0, 1, out}}, Case{"fd_write", {1, memory_bytes - 8, 1, 0}},
                          Case{"poll_oneoff", {out, 0, 1, 0}}, Case{"poll_oneoff", {0, out, 1, 0}},
                          Case{"random_get", {out, 4}}, Case{"random_get", {8, 0xffffffff}}}) {
    for (const HostFunction& function : preview1_functions()) {
      if (function.name != one.name) continue;
      GuardedGuest guest;
      EXPECT_EQ(guest.call(function, one.arguments), HostCall::done) << one.name;
      EXPECT_EQ(guest.error(), static_cast<std::uint64_t>(wasi::Errno::fault)) << one.name;
      EXPECT_TRUE(guest.guards_are_whole());
    }
  }
}

}  // namespace
}  // namespace tollgate::sandbox
