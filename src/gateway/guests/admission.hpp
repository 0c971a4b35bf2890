// How many requests of a route may have a sandbox at once (`concurrent`), and how many may wait for one
// (`queue`), counted over all workers in shared memory.
//
// Whoever waits in one worker is served in order. Between workers there is no order, and no signal either: a
// worker with waiting requests looks every poll_interval whether another has given a place back. What a dead
// worker held is given back by the supervisor (settle_after_death).
//
// Threads: the worker's one thread. An admission outlives its permits and waiters.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/wakeup.hpp"
#include "gateway/shared_memory.hpp"
#include "http/exchange.hpp"

namespace tollgate::gateway {

class Admission {
 public:
  static constexpr std::chrono::milliseconds poll_interval{2};

  struct Bounds {
    std::uint32_t concurrent;
    std::uint32_t queue;
  };

  // A place, given back when it is destroyed.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(admission_, other.admission_);
      return *this;
    }
    ~Permit() {
      if (admission_ != nullptr) admission_->leave();
    }

   private:
    friend class Admission;
    explicit Permit(Admission& admission) : admission_(&admission) {}
    Admission* admission_ = nullptr;
  };

  Admission(Executor executor, SharedCounts& counts, WorkerMark& mark, std::uint32_t slot, Bounds bounds);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // A place if one is free and nobody here waited before.
  std::optional<Permit> try_enter();

  // A place as soon as there is one. Fails with `capacity` at once when the queue is full, or with what
  // cancelled the exchange.
  Task<expected<Permit, const http::Reason*>> enter(http::Cancellation& cancellation);

  std::size_t waiting() const { return waiters_.size(); }

 private:
  struct Waiter
      : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Waiter(Admission& admission, http::Cancellation& cancellation);
    ~Waiter();
    static void cancel(void* self, const http::Reason& cause);

    Admission& admission;
    Wakeup wakeup;
    bool admitted = false;  // holds a place
    const http::Reason* cause = nullptr;
    http::Cancellation::Guard guard;  // last: its hook may run at once
  };

  void leave();
  void admit_waiting();
  void poll_later();

  Executor executor_;
  CountedLimit running_;
  CountedLimit queued_;
  Bounds bounds_;
  SteadyTimer timer_;
  bool polling_ = false;
  boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> waiters_;
};

}  // namespace tollgate::gateway
