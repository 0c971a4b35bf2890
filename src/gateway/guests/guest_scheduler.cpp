#include "gateway/guests/guest_scheduler.hpp"

#include <boost/asio/post.hpp>
#include <unordered_map>

namespace tollgate::gateway {

// Guests in a queue per route, and routes in a ring: whoever is next is of another route than the last, if
// there is one. A guest leaves by itself when it is destroyed.
class GuestScheduler::Rotation {
 public:
  void push(Guest& guest) {
    Route& route = routes_[guest.route_slot_];
    route.guests.push_back(guest);
    if (!route.is_linked()) ring_.push_back(route);
  }

  // nullptr: none is left.
  Guest* pop() {
    while (!ring_.empty()) {
      Route& route = ring_.front();
      ring_.pop_front();
      if (route.guests.empty()) continue;  // its last one left by itself
      Guest& guest = route.guests.front();
      route.guests.pop_front();
      if (!route.guests.empty()) ring_.push_back(route);
      return &guest;
    }
    return nullptr;
  }

  bool empty() const { return ring_.empty(); }
  std::size_t size() const {
    std::size_t count = 0;
    for (const Route& route : ring_) count += route.guests.size();
    return count;
  }

 private:
  struct Route : AutoUnlink {
    Queue<Guest> guests;
  };
  std::unordered_map<std::uint32_t, Route> routes_;  // by slot; as many as there are routes with slow guests
  Queue<Route> ring_;
};

GuestScheduler::GuestScheduler(Executor executor, WorkerMark& mark)
    : executor_(executor),
      turn_end_(asio::use_service<TurnEnd>(executor.context())),
      mark_(mark),
      timer_(executor),
      fresh_(std::make_unique<Rotation>()),
      yielded_(std::make_unique<Rotation>()) {}

GuestScheduler::~GuestScheduler() = default;

void GuestScheduler::charge(std::chrono::nanoseconds spent) {
  if (std::exchange(spent_in_, turn_end_.turn()) != turn_end_.turn()) spent_ = {};
  spent_ += spent;
  if (spent_ < slice_worth) return;
  slice_used_ = true;
  post_turn();
}

std::size_t GuestScheduler::queued() const {
  return fresh_->size() + yielded_->size();
}

void GuestScheduler::queue_fresh(Guest& guest) {
  guest.place_ = Guest::Place::fresh;
  fresh_->push(guest);
  post_turn();
}

void GuestScheduler::queue_yielded(Guest& guest) {
  guest.place_ = Guest::Place::yielded;
  yielded_->push(guest);
  post_turn();
}

void GuestScheduler::enter(Guest& guest) {
  guest.place_ = Guest::Place::none;
  sandbox::Run::State state;
  {
    const EnteredRoute entered(mark_, guest.route_slot_);
    state = guest.run_.resume();
  }
  switch (state) {
    case sandbox::Run::State::ended:
      guest.ended_ = true;
      return;
    case sandbox::Run::State::runnable:
      slice_used_ = true;
      queue_yielded(guest);
      return;
    case sandbox::Run::State::waiting: {
      const auto wake = guest.run_.wake_at();
      if (!wake) {
        guest.place_ = Guest::Place::waiting;
      } else if (*wake <= std::chrono::steady_clock::now()) {
        slice_used_ = true;  // a long host call that was cut into slices
        queue_yielded(guest);
      } else {
        sleep_until(guest, *wake);
      }
      return;
    }
  }
}

void GuestScheduler::sleep_until(Guest& guest, SteadyTime wake) {
  guest.place_ = Guest::Place::asleep;
  guest.wake_at_ = wake;
  sleepers_.emplace(wake, &guest);
  arm_timer();
}

void GuestScheduler::stop_sleeping(Guest& guest) {
  sleepers_.erase({guest.wake_at_, &guest});
}

void GuestScheduler::arm_timer() {
  if (sleepers_.empty() || sleepers_.begin()->first >= timer_at_) return;
  timer_at_ = sleepers_.begin()->first;
  timer_.expires_at(timer_at_);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // moved to an earlier time, or the scheduler is gone
    timer_at_ = SteadyTime::max();
    wake_sleepers();
  });
}

void GuestScheduler::wake_sleepers() {
  const SteadyTime now = std::chrono::steady_clock::now();
  while (!sleepers_.empty() && sleepers_.begin()->first <= now) {
    Guest& guest = *sleepers_.begin()->second;
    sleepers_.erase(sleepers_.begin());
    queue_fresh(guest);  // like a fresh one it most likely needs little
  }
  arm_timer();
}

// Posted twice: the loop puts the handlers of sockets that became ready during a slice behind what was posted
// in it. The second post comes behind those.
void GuestScheduler::post_turn() {
  if (std::exchange(turn_posted_, true)) return;
  asio::post(executor_, [this] { asio::post(executor_, [this] { turn(); }); });
}

void GuestScheduler::turn() {
  turn_posted_ = false;
  slice_used_ = false;
  spent_ = {};
  run_fresh();
  if (!slice_used_ || yielded_skipped_) {
    yielded_skipped_ = false;
    run_one_yielded();
  } else {
    yielded_skipped_ = true;
  }
  if (!fresh_->empty() || !yielded_->empty()) post_turn();
}

// First slices, and those of sleepers that woke, until they add up to one. A guest that ended is gone when
// its waiter has been told.
void GuestScheduler::run_fresh() {
  if (fresh_->empty()) return;
  before_long_slice();
  const SteadyTime until = std::chrono::steady_clock::now() + slice_worth;
  while (!slice_used_) {
    Guest* guest = fresh_->pop();
    if (guest == nullptr) return;
    enter(*guest);
    if (guest->ended_) guest->ended_wakeup_.notify();
    if (std::chrono::steady_clock::now() >= until) slice_used_ = true;
  }
}

void GuestScheduler::run_one_yielded() {
  Guest* guest = yielded_->pop();
  if (guest == nullptr) return;
  before_long_slice();
  enter(*guest);
  if (guest->ended_) guest->ended_wakeup_.notify();
}

GuestScheduler::Guest::Guest(GuestScheduler& scheduler, sandbox::Run& run, std::uint32_t route_slot,
                             http::Cancellation& cancellation)
    : scheduler_(scheduler),
      run_(run),
      route_slot_(route_slot),
      ended_wakeup_(scheduler.executor_),
      cancellation_(cancellation, {&Guest::cancel, this}) {}

GuestScheduler::Guest::~Guest() {
  if (place_ == Place::asleep) scheduler_.stop_sleeping(*this);
}

bool GuestScheduler::Guest::try_first_slice() {
  if (scheduler_.slice_used_) {
    scheduler_.queue_fresh(*this);
    return false;
  }
  scheduler_.enter(*this);
  return ended_;
}

Task<> GuestScheduler::Guest::ended() {
  while (!ended_) {
    if (!ended_wakeup_.take()) co_await ended_wakeup_.wait();
  }
}

void GuestScheduler::Guest::wake() {
  if (place_ == Place::waiting) scheduler_.queue_fresh(*this);
}

// The run ends when it is next resumed, which then costs nothing: it need not wait for its route's turn.
void GuestScheduler::Guest::cancel(void* self, const http::Reason&) {
  Guest& guest = *static_cast<Guest*>(self);
  guest.run_.cancel();
  switch (guest.place_) {
    case Place::none:  // being run right now, or not begun
    case Place::fresh:
      return;
    case Place::asleep:
      guest.scheduler_.stop_sleeping(guest);
      break;
    case Place::yielded:
      guest.unlink();
      break;
    case Place::waiting:
      break;
  }
  guest.scheduler_.queue_fresh(guest);
}

}  // namespace tollgate::gateway
