// Whose guest runs when, on a worker's one thread.
//
// A guest runs in slices of about one epoch tick (1 ms; the first may last some more,
// sandbox/epoch_ticker.hpp). Its first slice is run where the request is handled: most guests end in it, and
// nothing here was touched. One that does not end is queued, and the loop gives away *one such slice per
// turn*, so that whatever else became ready, new requests included, waits for one slice at the most, however
// many guests spin. Queued guests take turns by route, so that a route with many of them takes no more than
// one with few.
//
// A turn is what the event loop does between two runs of turn(), a handler that posts itself again while
// guests are queued: one look at the sockets, and the handlers of all that was ready. Once guests have used a
// slice's worth of time in a turn, further first slices wait for the next; they go before guests that had
// theirs, by route as well.
//
// A guest that sleeps or waits is in no queue and costs nothing but its memory.
//
// Threads: the worker's one thread. The scheduler outlives its guests.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "base/async.hpp"
#include "base/turn_end.hpp"
#include "base/wakeup.hpp"
#include "gateway/shared_memory.hpp"
#include "http/exchange.hpp"
#include "sandbox/program.hpp"

namespace tollgate::gateway {

class GuestScheduler {
 public:
  class Guest;

  // `mark` is told which route's guest is entered: should the worker crash, that one is suspected.
  GuestScheduler(Executor executor, WorkerMark& mark);
  ~GuestScheduler();  // after all guests
  GuestScheduler(const GuestScheduler&) = delete;
  GuestScheduler& operator=(const GuestScheduler&) = delete;

  // A guest that may compute for long is about to be entered: answers that wait for the end of the turn go
  // first.
  void before_long_slice() { turn_end_.run(); }

  // Guest time spent by first slices that ended: the backend tells it, from what the run cost.
  void charge(std::chrono::nanoseconds spent);

  std::size_t queued() const;

 private:
  using AutoUnlink =
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  template <class T>
  using Queue = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>>;

  class Rotation;
  using Wake = std::pair<SteadyTime, Guest*>;

  void enter(Guest& guest);
  void queue_fresh(Guest& guest);
  void queue_yielded(Guest& guest);
  void sleep_until(Guest& guest, SteadyTime wake);
  void stop_sleeping(Guest& guest);
  void wake_sleepers();
  void arm_timer();
  void post_turn();
  void turn();
  void run_fresh();
  void run_one_yielded();

  static constexpr std::chrono::nanoseconds slice_worth = std::chrono::milliseconds(1);

  Executor executor_;
  TurnEnd& turn_end_;
  WorkerMark& mark_;
  SteadyTimer timer_;
  SteadyTime timer_at_ = SteadyTime::max();
  std::set<Wake> sleepers_;
  std::unique_ptr<Rotation> fresh_;    // want their first slice, or woke up
  std::unique_ptr<Rotation> yielded_;  // had one and want another
  std::chrono::nanoseconds spent_{};   // by first slices, in turn spent_in_
  std::uint32_t spent_in_ = 0;
  bool slice_used_ = false;       // in this turn
  bool yielded_skipped_ = false;  // the last turn's slice went to a first one
  bool turn_posted_ = false;
};

// One run's place in the scheduler. Lives in the frame of the coroutine that wants its outcome.
class GuestScheduler::Guest : public GuestScheduler::AutoUnlink {
 public:
  // A cancelled exchange cancels the run at its next turn. All references outlive the guest.
  Guest(GuestScheduler& scheduler, sandbox::Run& run, std::uint32_t route_slot,
        http::Cancellation& cancellation);
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Runs the first slice at once, unless this turn's is used up. True: the run has ended. Call once, first.
  [[nodiscard]] bool try_first_slice();

  // Until the run has ended; when try_first_slice() said false.
  Task<> ended();

  // The Source or Sink that made the run wait has more: it gets a turn.
  void wake();

 private:
  friend class GuestScheduler;
  static void cancel(void* self, const http::Reason& cause);

  enum class Place : std::uint8_t { none, fresh, yielded, asleep, waiting };

  GuestScheduler& scheduler_;
  sandbox::Run& run_;
  std::uint32_t route_slot_;
  Place place_ = Place::none;
  bool ended_ = false;
  SteadyTime wake_at_{};
  Wakeup ended_wakeup_;
  http::Cancellation::Guard cancellation_;  // last: its hook may run at once
};

}  // namespace tollgate::gateway
