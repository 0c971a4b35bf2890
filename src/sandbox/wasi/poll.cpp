// poll_oneoff: sleeping and waiting for descriptors, without holding the worker.
#include <algorithm>
#include <chrono>
#include <optional>

#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

using std::chrono::nanoseconds;

// Longer than any deadline; keeps sums of times from overflowing.
constexpr std::uint64_t sleep_nanoseconds_max = std::uint64_t{3600} * 24 * 365 * 1'000'000'000;

struct Subscription {
  std::uint64_t userdata;
  EventType type;
  std::uint32_t id;  // clock, or descriptor
  std::uint64_t timeout;
  std::uint16_t flags;
};

struct Event {
  Errno error = Errno::success;
  std::uint64_t bytes = 0;
};

template <class T>
T field(std::span<const std::uint8_t> bytes, std::uint32_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

Subscription load(std::span<const std::uint8_t> bytes) {
  Subscription subscription{};
  subscription.userdata = field<std::uint64_t>(bytes, subscription_layout::userdata);
  subscription.type = static_cast<EventType>(bytes[subscription_layout::tag]);
  subscription.id = field<std::uint32_t>(bytes, subscription_layout::clock_id);
  subscription.timeout = field<std::uint64_t>(bytes, subscription_layout::clock_timeout);
  subscription.flags = field<std::uint16_t>(bytes, subscription_layout::clock_flags);
  return subscription;
}

void store(std::span<std::uint8_t> to, const Subscription& subscription, const Event& event) {
  std::memset(to.data(), 0, to.size());
  std::memcpy(to.data() + event_layout::userdata, &subscription.userdata, sizeof subscription.userdata);
  std::memcpy(to.data() + event_layout::error, &event.error, sizeof event.error);
  to[event_layout::type] = static_cast<std::uint8_t>(subscription.type);
  std::memcpy(to.data() + event_layout::bytes, &event.bytes, sizeof event.bytes);
}

// When a clock subscription is due, on the steady clock; an error for a clock that is not served.
expected<SteadyTime, Errno> due(const Subscription& subscription, SteadyTime since, SteadyTime now) {
  const auto bounded = [](std::uint64_t ns) { return nanoseconds(std::min(ns, sleep_nanoseconds_max)); };
  const bool absolute = (subscription.flags & subscription_clock_abstime) != 0;
  switch (static_cast<ClockId>(subscription.id)) {
    case ClockId::monotonic:
      if (!absolute) return since + bounded(subscription.timeout);
      return subscription.timeout > INT64_MAX ? now + nanoseconds(sleep_nanoseconds_max)
                                              : SteadyTime(nanoseconds(subscription.timeout));
    case ClockId::realtime: {
      if (!absolute) return since + bounded(subscription.timeout);
      const auto wall =
          std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
      const auto wall_ns = static_cast<std::uint64_t>(wall.count());
      return subscription.timeout <= wall_ns ? now : now + bounded(subscription.timeout - wall_ns);
    }
    case ClockId::process_cputime:
    case ClockId::thread_cputime:
      return unexpected(Errno::notsup);
  }
  return unexpected(Errno::inval);
}

// A descriptor is always ready: files by definition, the streams because a read or write that cannot go on
// yet suspends by itself.
Event poll_descriptor(const Preview1& state, const Subscription& subscription) {
  const auto found = state.descriptors().find(subscription.id, rights::poll_fd_readwrite);
  if (!found) return {found.error()};
  const Rights needed = subscription.type == EventType::fd_read ? rights::fd_read : rights::fd_write;
  if (((*found)->base & needed) == 0) return {Errno::notcapable};
  return {Errno::success, 1};
}

struct Pass {
  std::uint32_t events = 0;
  std::optional<SteadyTime> wake;  // the earliest that is not due yet
};

// Writes an event for each subscription that is due.
Pass pass(const Preview1& state, std::span<const std::uint8_t> in, std::span<std::uint8_t> out,
          SteadyTime since) {
  const SteadyTime now = std::chrono::steady_clock::now();
  Pass result;
  for (std::size_t at = 0; at < in.size(); at += subscription_layout::size) {
    const Subscription subscription = load(in.subspan(at, subscription_layout::size));
    Event event;
    if (subscription.type == EventType::clock) {
      const auto when = due(subscription, since, now);
      if (!when) {
        event.error = when.error();
      } else if (*when > now) {
        result.wake = result.wake ? std::min(*result.wake, *when) : *when;
        continue;
      }
    } else if (subscription.type == EventType::fd_read || subscription.type == EventType::fd_write) {
      event = poll_descriptor(state, subscription);
    } else {
      event.error = Errno::inval;
    }
    store(out.subspan(std::size_t{result.events} * event_layout::size, event_layout::size), subscription,
          event);
    ++result.events;
  }
  return result;
}

}  // namespace

// (in: ConstPointer<subscription>, out: Pointer<event>, count: size, nevents: Pointer<size>)
HostCall poll_oneoff(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const std::uint32_t count = slots[2].u32;
  if (count == 0 || count > subscriptions_max) return answer(slots, Errno::inval);
  const auto in = memory.range(slots[0].u32, std::uint64_t{count} * subscription_layout::size);
  const auto out = memory.range(slots[1].u32, std::uint64_t{count} * event_layout::size);
  if (!in || !out || !memory.range(slots[3].u32, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  Preview1::Suspended& suspended = state.suspended();
  if (!suspended.active) suspended.since = std::chrono::steady_clock::now();
  const Pass result = pass(state, *in, *out, suspended.since);
  if (result.events == 0) {
    suspended.active = true;
    return state.wait_until(result.wake);
  }
  suspended = {};
  return answer(slots, memory.store(slots[3].u32, result.events) ? Errno::success : Errno::fault);
}

}  // namespace tollgate::sandbox::wasi
