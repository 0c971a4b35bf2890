#include "sandbox/wasi/preview1.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "sandbox/wasi/testing.hpp"

namespace tollgate::sandbox {
namespace {

using namespace std::chrono_literals;
using testing::FakeGuest;
using wasi::Errno;

constexpr std::uint32_t iovs = 64;
constexpr std::uint32_t result = 512;

TEST(Preview1, has_46_functions_ordered_by_name_with_plain_signatures) {
  const auto all = preview1_functions();
  EXPECT_EQ(all.size(), 46u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.name < b.name; }));
  for (const HostFunction& function : all) {
    EXPECT_EQ(std::count(function.signature.begin(), function.signature.end(), ':'), 1) << function.name;
    EXPECT_EQ(function.signature.find_first_not_of("iI:"), std::string_view::npos) << function.name;
  }
}

TEST(Preview1, gives_the_body_on_stdin_in_pieces_and_then_its_end) {
  FakeGuest guest({}, "hello world");
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{4});
  guest.put(iovs + 8, std::uint32_t{2000});
  guest.put(iovs + 12, std::uint32_t{3});
  EXPECT_EQ(guest.errno_of("fd_read", {0, iovs, 2, result}), Errno::success);
  EXPECT_EQ(guest.u32(result), 7u);
  EXPECT_EQ(guest.text(1000, 4) + guest.text(2000, 3), "hello w");
  EXPECT_EQ(guest.errno_of("fd_read", {0, iovs, 2, result}), Errno::success);
  EXPECT_EQ(guest.u32(result), 4u);
  EXPECT_EQ(guest.errno_of("fd_read", {0, iovs, 2, result}), Errno::success);
  EXPECT_EQ(guest.u32(result), 0u);
}

TEST(Preview1, waits_for_a_body_that_comes_later) {
  FakeGuest guest({}, "late");
  guest.source().say_later(3);
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{100});
  EXPECT_EQ(guest.call("fd_read", {0, iovs, 1, result}, 0), HostCall::wait);
  EXPECT_EQ(guest.state().wake_at(), std::nullopt);
  EXPECT_EQ(guest.errno_of("fd_read", {0, iovs, 1, result}), Errno::success);
  EXPECT_EQ(guest.text(1000, guest.u32(result)), "late");
}

TEST(Preview1, sends_stdout_to_the_sink_up_to_its_bound) {
  Input input;
  input.limits.output_bytes_max = 10;
  FakeGuest guest(input);
  guest.put(1000, "12345");
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{5});
  EXPECT_EQ(guest.errno_of("fd_write", {1, iovs, 1, result}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_write", {1, iovs, 1, result}), Errno::success);
  EXPECT_EQ(guest.sink().output, "1234512345");
  guest.put(iovs + 4, std::uint32_t{1});
  EXPECT_EQ(guest.call("fd_write", {1, iovs, 1, result}), HostCall::end);
  EXPECT_EQ(guest.state().end(), Preview1::End::output);
  EXPECT_EQ(guest.sink().output.size(), 10u);
}

TEST(Preview1, ends_when_the_sink_refuses_and_waits_when_it_is_full) {
  FakeGuest guest({});
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{5});
  guest.sink().answer = Sink::State::full;
  EXPECT_EQ(guest.call("fd_write", {1, iovs, 1, result}, 0), HostCall::wait);
  guest.sink().answer = Sink::State::refused;
  EXPECT_EQ(guest.call("fd_write", {1, iovs, 1, result}), HostCall::end);
  EXPECT_EQ(guest.state().end(), Preview1::End::output);
}

TEST(Preview1, logs_stderr_up_to_its_bound_and_counts_the_rest) {
  Input input;
  input.limits.stderr_bytes_max = 7;
  FakeGuest guest(input);
  guest.put(1000, "abcde");
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{5});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(guest.errno_of("fd_write", {2, iovs, 1, result}), Errno::success);
    EXPECT_EQ(guest.u32(result), 5u);
  }
  EXPECT_EQ(guest.sink().logged, "abcdeab" + std::string(stderr_cut_note));
  EXPECT_EQ(guest.state().stderr_bytes_dropped(), 8u);
}

TEST(Preview1, gives_environment_and_arguments) {
  const std::string_view args[] = {"guest", "one"};
  const std::string_view environment[] = {"A=1", "EMPTY=", "LONG=abc"};
  Input input;
  input.args = args;
  input.environment = environment;
  FakeGuest guest(input);
  EXPECT_EQ(guest.errno_of("args_sizes_get", {result, result + 4}), Errno::success);
  EXPECT_EQ(guest.u32(result), 2u);
  EXPECT_EQ(guest.u32(result + 4), 10u);
  EXPECT_EQ(guest.errno_of("environ_sizes_get", {result, result + 4}), Errno::success);
  EXPECT_EQ(guest.u32(result), 3u);
  EXPECT_EQ(guest.u32(result + 4), 20u);
  EXPECT_EQ(guest.errno_of("environ_get", {1000, 2000}), Errno::success);
  EXPECT_EQ(guest.u32(1000), 2000u);
  EXPECT_EQ(guest.u32(1004), 2004u);
  EXPECT_EQ(guest.u32(1008), 2011u);
  EXPECT_EQ(guest.text(2000, 20), std::string("A=1\0EMPTY=\0LONG=abc\0", 20));
  EXPECT_EQ(guest.errno_of("args_get", {1000, 2000}), Errno::success);
  EXPECT_EQ(guest.text(2000, 10), std::string("guest\0one\0", 10));
}

TEST(Preview1, ends_with_the_exit_code) {
  FakeGuest guest({});
  EXPECT_EQ(guest.call("proc_exit", {3}), HostCall::end);
  EXPECT_EQ(guest.state().end(), Preview1::End::exit);
  EXPECT_EQ(guest.state().exit_code(), 3u);
}

TEST(Preview1, has_real_clocks_but_none_of_the_processor) {
  FakeGuest guest({});
  const auto before = std::chrono::system_clock::now();
  EXPECT_EQ(guest.errno_of("clock_time_get", {0, 0, result}), Errno::success);
  const std::chrono::nanoseconds told(guest.u64(result));
  EXPECT_LT(std::chrono::abs(told - before.time_since_epoch()), 5s);
  EXPECT_EQ(guest.errno_of("clock_time_get", {1, 0, result}), Errno::success);
  EXPECT_NE(guest.u64(result), 0u);
  EXPECT_EQ(guest.errno_of("clock_time_get", {2, 0, result}), Errno::notsup);
  EXPECT_EQ(guest.errno_of("clock_time_get", {3, 0, result}), Errno::notsup);
  EXPECT_EQ(guest.errno_of("clock_time_get", {4, 0, result}), Errno::inval);
  EXPECT_EQ(guest.errno_of("clock_res_get", {1, result}), Errno::success);
}

TEST(Preview1, fills_random_bytes_in_slices_that_yield) {
  FakeGuest guest({});
  const std::uint32_t length = FakeGuest::memory_bytes - 16;
  EXPECT_EQ(guest.errno_of("random_get", {16, length}), Errno::success);
  EXPECT_EQ(guest.waits, 1);
  for (std::uint32_t at = 16; at < FakeGuest::memory_bytes; at += 4096) {
    const auto page = std::min<std::uint32_t>(4096, FakeGuest::memory_bytes - at);
    EXPECT_NE(guest.text(at, page), std::string(page, '\0')) << at;
  }
  EXPECT_EQ(guest.u64(0), 0u);
  EXPECT_EQ(guest.errno_of("random_get", {0, 16}), Errno::success);
  EXPECT_EQ(guest.waits, 1);
}

TEST(Preview1, denies_signals_and_sockets) {
  FakeGuest guest({});
  EXPECT_EQ(guest.errno_of("proc_raise", {9}), Errno::notsup);
  EXPECT_EQ(guest.errno_of("sock_accept", {0, 0, result}), Errno::notsock);
  EXPECT_EQ(guest.errno_of("sock_recv", {1, 0, 0, 0, 0, 0}), Errno::notsock);
  EXPECT_EQ(guest.errno_of("sock_send", {7, 0, 0, 0, 0}), Errno::badf);
  EXPECT_EQ(guest.errno_of("sock_shutdown", {7, 0}), Errno::badf);
}

TEST(Preview1, lets_standard_streams_be_closed_and_renumbered) {
  FakeGuest guest({});
  guest.put(1000, "x");
  guest.put(iovs, std::uint32_t{1000});
  guest.put(iovs + 4, std::uint32_t{1});
  EXPECT_EQ(guest.errno_of("fd_renumber", {2, 1}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_write", {1, iovs, 1, result}), Errno::success);
  EXPECT_EQ(guest.sink().logged, "x");
  EXPECT_EQ(guest.errno_of("fd_write", {2, iovs, 1, result}), Errno::badf);
  EXPECT_EQ(guest.errno_of("fd_close", {0}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_close", {0}), Errno::badf);
  EXPECT_EQ(guest.errno_of("fd_prestat_get", {3, result}), Errno::badf);
}

}  // namespace
}  // namespace tollgate::sandbox
