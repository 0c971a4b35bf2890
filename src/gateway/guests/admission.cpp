#include "gateway/guests/admission.hpp"

#include "gateway/reasons.hpp"

namespace tollgate::gateway {

Admission::Waiter::Waiter(Admission& given, http::Cancellation& cancellation)
    : admission(given), wakeup(given.executor_), guard(cancellation, {&Waiter::cancel, this}) {}

Admission::Waiter::~Waiter() {
  admission.queued_.give_back();
  if (admitted) admission.leave();  // its coroutine was destroyed before it could take the place
}

void Admission::Waiter::cancel(void* self, const http::Reason& cause) {
  Waiter& waiter = *static_cast<Waiter*>(self);
  if (waiter.admitted || waiter.cause != nullptr) return;
  waiter.cause = &cause;
  waiter.unlink();
  waiter.wakeup.notify_later();
}

Admission::Admission(Executor executor, SharedCounts& counts, WorkerMark& mark, std::uint32_t slot,
                     Bounds bounds)
    : executor_(executor),
      running_(counts.routes[slot].all_workers.running, mark.shares[slot].running),
      queued_(counts.routes[slot].all_workers.queued, mark.shares[slot].queued),
      bounds_(bounds),
      timer_(executor) {}

std::optional<Admission::Permit> Admission::try_enter() {
  if (!waiters_.empty() || !running_.try_take(bounds_.concurrent)) return std::nullopt;
  return Permit(*this);
}

Task<expected<Admission::Permit, const http::Reason*>> Admission::enter(http::Cancellation& cancellation) {
  if (auto permit = try_enter()) co_return std::move(*permit);
  if (cancellation.cause() != nullptr) co_return unexpected(cancellation.cause());
  if (!queued_.try_take(bounds_.queue)) co_return unexpected(&reasons::capacity);
  Waiter waiter(*this, cancellation);
  waiters_.push_back(waiter);
  poll_later();
  while (!waiter.admitted && waiter.cause == nullptr) {
    if (!waiter.wakeup.take()) co_await waiter.wakeup.wait();
  }
  if (waiter.cause != nullptr) co_return unexpected(waiter.cause);
  waiter.admitted = false;  // the place is the permit's now
  co_return Permit(*this);
}

void Admission::leave() {
  running_.give_back();
  admit_waiting();
}

void Admission::admit_waiting() {
  while (!waiters_.empty() && running_.try_take(bounds_.concurrent)) {
    Waiter& first = waiters_.front();
    waiters_.pop_front();
    first.admitted = true;
    first.wakeup.notify_later();  // leave() runs in destructors: nobody is resumed from there
  }
}

void Admission::poll_later() {
  if (std::exchange(polling_, true)) return;
  timer_.expires_after(poll_interval);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // the admission is gone
    polling_ = false;
    admit_waiting();
    if (!waiters_.empty()) poll_later();
  });
}

}  // namespace tollgate::gateway
