// Ticks that end guests' slices: once a millisecond while guests compute for long, and hardly ever otherwise.
//
// Two timers signal the thread that runs the guests; the handler counts a tick. No second thread shares the
// engine's cache lines or the core.
//   precise  every `tick` by the monotonic clock. Each tick is a timer interrupt of its own, 1.5 us of CPU on
//            plain hardware but 30-50 us in a virtual machine: ticking always would make each of a busy
//            worker's short guests 0.4 us dearer. So it runs only while slices are cut.
//   watch    by the thread's CPU clock, which the kernel looks at when its own scheduler ticks: no interrupt
//            more, and none at all while the thread sleeps, but a watch is as coarse as that tick (4 ms at
//            250 Hz). A watch that finds the thread inside a guest counts as a tick and starts the precise
//            timer.
// So a first slice that must be cut lasts up to first_slice_max(), and the slices after it 1 ms.
//
// The signal interrupts what the thread does: slow system calls restart (SA_RESTART), epoll_wait returns
// EINTR, which event loops expect.
//
// Threads: made, used and destroyed on the thread whose guests it times.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <memory>

#include "base/expected.hpp"

namespace tollgate::sandbox {

inline constexpr std::chrono::nanoseconds tick = std::chrono::milliseconds(1);

class EpochTicker {
 public:
  // Called in a signal handler: must be async-signal-safe.
  using OnTick = void (*)(void* context) noexcept;

  // The error is errno's value.
  static expected<std::unique_ptr<EpochTicker>, int> create(OnTick on_tick, void* context);
  ~EpochTicker();
  EpochTicker(const EpochTicker&) = delete;
  EpochTicker& operator=(const EpochTicker&) = delete;

  // While it lives, the thread is inside a guest.
  class Slice {
   public:
    explicit Slice(EpochTicker& ticker) : ticker_(ticker) { ticker_.inside_ = true; }
    ~Slice() { ticker_.inside_ = false; }
    Slice(const Slice&) = delete;
    Slice& operator=(const Slice&) = delete;

   private:
    EpochTicker& ticker_;
  };

  // A tick ended a slice: its guest wants another, which is to last one tick.
  void slice_was_cut();

  // How long a slice that began without the precise timer lasts, at the most, in CPU time of the thread.
  std::chrono::nanoseconds first_slice_max() const { return first_slice_max_; }

  bool precise() const { return precise_running_; }

 private:
  struct Timer {
    EpochTicker* ticker;  // told to the handler by its address
    timer_t id{};
    bool made = false;
  };

  EpochTicker(OnTick on_tick, void* context);
  static void handle(int signal, siginfo_t* info, void* ucontext);
  static int make_timer(clockid_t clock, Timer& timer);
  void start_precise();
  void on_watch() noexcept;
  void on_precise() noexcept;

  // Of the precise timer, before it stops: after a watch, one, which cuts what the watch found; after a cut,
  // as many as a guest may have to wait for its next slice.
  static constexpr std::uint32_t ticks_after_watch = 1;
  static constexpr std::uint32_t ticks_after_cut = 20;

  OnTick on_tick_;
  void* context_;
  std::chrono::nanoseconds first_slice_max_;
  Timer watch_{this};
  Timer precise_{this};
  // Shared with the handler, which runs on the same thread.
  volatile bool inside_ = false;
  volatile bool precise_running_ = false;
  volatile std::uint32_t ticks_left_ = 0;
};

}  // namespace tollgate::sandbox
