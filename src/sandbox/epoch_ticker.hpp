// Ticks once a millisecond while guests run, and not otherwise: what ends a guest's slice.
//
// A POSIX timer signals the worker's own thread; the handler counts a tick. No second thread shares the
// engine's cache lines or the core. The first guest arms the timer; the handler disarms it after
// idle_ticks_max ticks in which none was entered, so that a busy worker pays no system call per request and
// an idle one is never woken.
//
// Cost: about 1.5 us of CPU per tick. The signal interrupts what the thread does: slow system calls restart
// (SA_RESTART), epoll_wait returns EINTR, which event loops expect.
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
inline constexpr std::uint32_t idle_ticks_max = 20;

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
    explicit Slice(EpochTicker& ticker) : ticker_(ticker) {
      ticker_.inside_ = true;
      ticker_.entered_ = ticker_.entered_ + 1;
      if (!ticker_.armed_) ticker_.arm();
    }
    ~Slice() { ticker_.inside_ = false; }
    Slice(const Slice&) = delete;
    Slice& operator=(const Slice&) = delete;

   private:
    EpochTicker& ticker_;
  };

  bool armed() const { return armed_; }

 private:
  EpochTicker(OnTick on_tick, void* context) : on_tick_(on_tick), context_(context) {}
  static void handle(int signal, siginfo_t* info, void* ucontext);
  void arm();
  void on_signal() noexcept;

  OnTick on_tick_;
  void* context_;
  timer_t timer_{};
  bool made_ = false;
  // Shared with the handler, which runs on the same thread.
  volatile bool inside_ = false;
  volatile std::uint32_t entered_ = 0;
  volatile bool armed_ = false;
  std::uint32_t seen_ = 0;
  std::uint32_t idle_ticks_ = 0;
};

}  // namespace tollgate::sandbox
