#include "base/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace tollgate {

TimerWheel::TimerWheel(EventLoop& loop) : start_(std::chrono::steady_clock::now()), timer_(loop) {}

TimerWheel::~TimerWheel() {
  for (Level& level : levels_) {
    for (Deadline*& head : level.heads) {
      while (head != nullptr) unlink(*head);
    }
  }
}

void TimerWheel::Deadline::disarm() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

void TimerWheel::arm(Deadline& deadline, SteadyTime when) {
  if (deadline.armed()) unlink(deadline);
  const auto after = std::max(when - start_, SteadyTime::duration::zero());
  const auto ticks = static_cast<std::uint64_t>((after + tick - SteadyTime::duration(1)) / tick);
  deadline.at_tick_ = std::clamp(ticks, now_tick_ + 1, now_tick_ | horizon_ticks);
  link(deadline);
  if (!expiring_) schedule();
}

void TimerWheel::link(Deadline& deadline) {
  const std::uint64_t differs = (deadline.at_tick_ ^ now_tick_) | 1;
  const unsigned level = static_cast<unsigned>(std::bit_width(differs) - 1) / slot_bits;
  const unsigned slot = static_cast<unsigned>(deadline.at_tick_ >> (level * slot_bits)) % slots;
  Deadline*& head = levels_[level].heads[slot];
  deadline.level_ = static_cast<std::uint8_t>(level);
  deadline.slot_ = static_cast<std::uint8_t>(slot);
  deadline.wheel_ = this;
  deadline.previous_ = nullptr;
  deadline.next_ = head;
  if (head != nullptr) head->previous_ = &deadline;
  head = &deadline;
  levels_[level].used |= std::uint64_t{1} << slot;
}

void TimerWheel::unlink(Deadline& deadline) {
  Level& level = levels_[deadline.level_];
  if (deadline.next_ != nullptr) deadline.next_->previous_ = deadline.previous_;
  if (deadline.previous_ != nullptr) {
    deadline.previous_->next_ = deadline.next_;
  } else {
    level.heads[deadline.slot_] = deadline.next_;
    if (deadline.next_ == nullptr) level.used &= ~(std::uint64_t{1} << deadline.slot_);
  }
  deadline.wheel_ = nullptr;
}

// Slots in use always lie ahead of now within their level, so the lowest bit of the lowest level comes first.
std::optional<TimerWheel::Slot> TimerWheel::earliest() const {
  for (unsigned level = 0; level < levels; ++level) {
    if (levels_[level].used == 0) continue;
    const auto index = static_cast<unsigned>(std::countr_zero(levels_[level].used));
    const unsigned shift = level * slot_bits;
    const std::uint64_t round = now_tick_ >> (shift + slot_bits) << (shift + slot_bits);
    return Slot{level, index, round + (std::uint64_t{index} << shift)};
  }
  return std::nullopt;
}

void TimerWheel::expire_until(SteadyTime now) {
  if (now < start_) return;
  const auto target = static_cast<std::uint64_t>((now - start_) / tick);
  expiring_ = true;
  while (const auto slot = earliest()) {
    if (slot->begin_tick > target) break;
    now_tick_ = std::max(now_tick_, slot->begin_tick);
    empty(*slot);
  }
  // Moving on without passing a slot in use keeps every deadline in the slot it would get now.
  if (const auto slot = earliest(); !slot || slot->begin_tick > target)
    now_tick_ = std::max(now_tick_, target);
  expiring_ = false;
  schedule();
}

// Fires what is due and moves the rest a level down. A callback may arm and disarm anything, itself included.
void TimerWheel::empty(const Slot& slot) {
  Deadline*& head = levels_[slot.level].heads[slot.index];
  while (head != nullptr) {
    Deadline& deadline = *head;
    unlink(deadline);
    if (deadline.at_tick_ > now_tick_) {
      link(deadline);
    } else {
      deadline.expired_(deadline.context_);
    }
  }
}

std::optional<SteadyTime> TimerWheel::wakes_at() const {
  if (!scheduled_tick_) return std::nullopt;
  return time_of(*scheduled_tick_);
}

void TimerWheel::schedule() {
  const auto slot = earliest();
  if (!slot || (scheduled_tick_ && *scheduled_tick_ <= slot->begin_tick)) return;
  scheduled_tick_ = slot->begin_tick;
  timer_.expires_at(time_of(slot->begin_tick));
  timer_.async_wait([this](const error_code& error) {
    if (error) return;  // moved, or the wheel is gone
    scheduled_tick_.reset();
    expire_until(std::chrono::steady_clock::now());
  });
}

}  // namespace tollgate
