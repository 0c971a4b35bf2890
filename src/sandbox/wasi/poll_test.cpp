#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "sandbox/wasi/testing.hpp"

namespace tollgate::sandbox {
namespace {

using namespace std::chrono_literals;
using testing::FakeGuest;
using wasi::Errno;

constexpr std::uint32_t in = 1024;
constexpr std::uint32_t out = 8192;
constexpr std::uint32_t count = 512;

class Poll : public ::testing::Test {
 protected:
  void clock(int index, std::uint64_t userdata, std::uint32_t id, std::uint64_t timeout,
             std::uint16_t flags = 0) {
    const std::uint32_t at = in + 48 * static_cast<std::uint32_t>(index);
    guest.put(at, userdata);
    guest.put(at + 8, std::uint8_t{0});
    guest.put(at + 16, id);
    guest.put(at + 24, timeout);
    guest.put(at + 40, flags);
  }
  void descriptor(int index, std::uint64_t userdata, std::uint8_t type, std::uint32_t fd) {
    const std::uint32_t at = in + 48 * static_cast<std::uint32_t>(index);
    guest.put(at, userdata);
    guest.put(at + 8, type);
    guest.put(at + 16, fd);
  }
  std::uint64_t userdata(int event) { return guest.u64(out + 32 * static_cast<std::uint32_t>(event)); }
  Errno error(int event) {
    return static_cast<Errno>(
        *guest.memory().load<std::uint16_t>(out + 32 * static_cast<std::uint32_t>(event) + 8));
  }

  FakeGuest guest{{}};
};

TEST_F(Poll, sleeps_by_waiting_until_the_earliest_clock) {
  clock(0, 7, 1, 60'000'000'000);
  clock(1, 8, 1, 20'000'000);
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(guest.call("poll_oneoff", {in, out, 2, count}, 0), HostCall::wait);
  ASSERT_TRUE(guest.state().wake_at());
  EXPECT_GE(*guest.state().wake_at(), begun + 20ms);
  EXPECT_LT(*guest.state().wake_at(), begun + 2s);
  // Woken too early it waits on for the same moment, not for another 20 ms.
  const auto wake = *guest.state().wake_at();
  ASSERT_EQ(guest.call("poll_oneoff", {in, out, 2, count}, 0), HostCall::wait);
  EXPECT_EQ(*guest.state().wake_at(), wake);
  std::this_thread::sleep_until(wake);
  EXPECT_EQ(guest.errno_of("poll_oneoff", {in, out, 2, count}), Errno::success);
  EXPECT_EQ(guest.u32(count), 1u);
  EXPECT_EQ(userdata(0), 8u);
}

TEST_F(Poll, is_ready_at_once_for_clocks_that_are_due_and_for_descriptors) {
  clock(0, 1, 1, 0);
  clock(1, 2, 0, 1, 1);  // absolute, in 1970
  descriptor(2, 3, 1, 0);
  descriptor(3, 4, 2, 1);
  clock(4, 5, 1, 60'000'000'000);
  EXPECT_EQ(guest.errno_of("poll_oneoff", {in, out, 5, count}), Errno::success);
  EXPECT_EQ(guest.waits, 0);
  ASSERT_EQ(guest.u32(count), 4u);
  for (int event = 0; event < 4; ++event) {
    EXPECT_EQ(userdata(event), static_cast<std::uint64_t>(event) + 1);
    EXPECT_EQ(error(event), Errno::success);
  }
}

TEST_F(Poll, tells_errors_as_events) {
  clock(0, 1, 2, 0);       // CPU clock
  descriptor(1, 2, 1, 9);  // not open
  descriptor(2, 3, 1, 1);  // stdout cannot be read
  descriptor(3, 4, 7, 1);  // no such type
  EXPECT_EQ(guest.errno_of("poll_oneoff", {in, out, 4, count}), Errno::success);
  ASSERT_EQ(guest.u32(count), 4u);
  EXPECT_EQ(error(0), Errno::notsup);
  EXPECT_EQ(error(1), Errno::badf);
  EXPECT_EQ(error(2), Errno::notcapable);
  EXPECT_EQ(error(3), Errno::inval);
}

TEST_F(Poll, takes_the_longest_sleep_there_is) {
  clock(0, 1, 1, UINT64_MAX);
  EXPECT_EQ(guest.call("poll_oneoff", {in, out, 1, count}, 0), HostCall::wait);
  EXPECT_GT(*guest.state().wake_at(), std::chrono::steady_clock::now() + 24h);
}

TEST_F(Poll, refuses_none_and_too_many) {
  EXPECT_EQ(guest.errno_of("poll_oneoff", {in, out, 0, count}), Errno::inval);
  EXPECT_EQ(guest.errno_of("poll_oneoff", {in, out, 1025, count}), Errno::inval);
}

}  // namespace
}  // namespace tollgate::sandbox
