// Clocks and random numbers: real ones.
#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

// $clockid. The CPU clocks count the whole worker, other guests' time included: denied.
expected<clockid_t, Errno> host_clock(std::uint32_t id) {
  switch (static_cast<ClockId>(id)) {
    case ClockId::realtime:
      return CLOCK_REALTIME;
    case ClockId::monotonic:
      return CLOCK_MONOTONIC;
    case ClockId::process_cputime:
    case ClockId::thread_cputime:
      return unexpected(Errno::notsup);
  }
  return unexpected(Errno::inval);
}

std::uint64_t nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

Errno store_clock(expected<clockid_t, Errno> clock, int (*read)(clockid_t, timespec*) noexcept,
                  GuestMemory memory, std::uint32_t address) {
  if (!clock) return clock.error();
  timespec time{};
  if (read(*clock, &time) != 0) return from_host(errno);
  return memory.store(address, nanoseconds(time)) ? Errno::success : Errno::fault;
}

constexpr std::size_t random_bounce_bytes = 4096;  // on the guest's fiber, whose stack is small

// Fills `to` through a bounce buffer: the kernel must not be given guest addresses.
Errno fill_random(std::span<std::uint8_t> to) {
  std::uint8_t bounce[random_bounce_bytes];
  while (!to.empty()) {
    const ssize_t got = ::getrandom(bounce, std::min(to.size(), sizeof bounce), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Errno::io;
    std::memcpy(to.data(), bounce, static_cast<std::size_t>(got));
    to = to.subspan(static_cast<std::size_t>(got));
  }
  return Errno::success;
}

}  // namespace

// (id: clockid, resolution: Pointer<timestamp>)
HostCall clock_res_get(Preview1&, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, store_clock(host_clock(slots[0].u32), ::clock_getres, memory, slots[1].u32));
}

// (id: clockid, precision: timestamp, time: Pointer<timestamp>); the precision is a wish, and ours is the
// best.
HostCall clock_time_get(Preview1&, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, store_clock(host_clock(slots[0].u32), ::clock_gettime, memory, slots[2].u32));
}

// (buffer: Pointer<u8>, length: size). A large one is filled in slices with a yield between them, so that it
// neither holds the worker nor escapes the CPU budget, which is checked at each resume.
HostCall random_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto buffer = memory.range(slots[0].u32, slots[1].u32);
  if (!buffer) return answer(slots, Errno::fault);
  Preview1::Suspended& suspended = state.suspended();
  const std::size_t done =
      suspended.active ? std::min<std::size_t>(suspended.progress_bytes, buffer->size()) : 0;
  const std::size_t slice = std::min(buffer->size() - done, random_slice_bytes);
  const Errno error = fill_random(buffer->subspan(done, slice));
  if (error == Errno::success && done + slice < buffer->size()) {
    suspended = {.active = true, .progress_bytes = done + slice};
    return state.wait_until(std::chrono::steady_clock::now());
  }
  suspended = {};
  return answer(slots, error);
}

}  // namespace tollgate::sandbox::wasi
