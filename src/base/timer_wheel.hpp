// Deadlines by the ten thousand for one thread: arming and disarming are a few pointer writes, never a system
// call, and one Asio timer sleeps until the earliest slot in use.
//
// A hierarchical wheel: level n has 64 slots of 64^n ticks; a deadline sits at the highest level in which it
// differs from now and moves down as its slot comes up. It fires at its time or up to two ticks after it,
// never before.
//
// Threads: the event loop's one. The wheel outlives its deadlines' last arming and the loop's last run.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/async.hpp"

namespace tollgate {

class TimerWheel {
 public:
  static constexpr std::chrono::milliseconds tick{10};

  // One deadline, owned by whoever waits; disarmed when destroyed.
  class Deadline {
   public:
    using Expired = void (*)(void* context);
    Deadline(Expired expired, void* context) : expired_(expired), context_(context) {}
    ~Deadline() { disarm(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    bool armed() const { return wheel_ != nullptr; }
    void disarm();

   private:
    friend class TimerWheel;
    Expired expired_;
    void* context_;
    TimerWheel* wheel_ = nullptr;
    Deadline* next_ = nullptr;
    Deadline* previous_ = nullptr;
    std::uint64_t at_tick_ = 0;
    std::uint8_t level_ = 0;
    std::uint8_t slot_ = 0;
  };

  explicit TimerWheel(EventLoop& loop);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Calls `expired` once, from the loop, when `when` has passed; an armed deadline is moved.
  void arm(Deadline& deadline, SteadyTime when);
  void arm_after(Deadline& deadline, SteadyTime::duration after) {
    arm(deadline, std::chrono::steady_clock::now() + after);
  }

  // Fires what is due at `now`. The loop's timer calls it; tests may.
  void expire_until(SteadyTime now);

  // When the loop's timer will look next; for tests.
  std::optional<SteadyTime> wakes_at() const;

 private:
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned slots = 1u << slot_bits;
  static constexpr unsigned levels = 6;  // 64^6 ticks: 21 years; anything later is clamped
  static constexpr std::uint64_t horizon_ticks = (std::uint64_t{1} << (slot_bits * levels)) - 1;

  struct Level {
    std::uint64_t used = 0;  // one bit per slot
    std::array<Deadline*, slots> heads{};
  };
  struct Slot {
    unsigned level;
    unsigned index;
    std::uint64_t begin_tick;
  };

  void link(Deadline& deadline);
  void unlink(Deadline& deadline);
  std::optional<Slot> earliest() const;
  void empty(const Slot& slot);
  void schedule();
  SteadyTime time_of(std::uint64_t tick_number) const { return start_ + tick_number * tick; }

  SteadyTime start_;
  std::uint64_t now_tick_ = 0;  // everything before and at this tick has fired
  std::array<Level, levels> levels_;
  SteadyTimer timer_;
  std::optional<std::uint64_t> scheduled_tick_;
  bool expiring_ = false;
};

}  // namespace tollgate
