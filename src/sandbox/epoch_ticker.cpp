#include "sandbox/epoch_ticker.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tollgate::sandbox {

namespace {

// Shorter than the scheduler's tick at 250 Hz, which would else be met by every second watch only.
constexpr std::chrono::nanoseconds watch_period = std::chrono::milliseconds(2);

int tick_signal() {
  return SIGRTMIN + 1;
}

std::chrono::nanoseconds scheduler_tick() {
  timespec resolution{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return std::chrono::seconds(resolution.tv_sec) + std::chrono::nanoseconds(resolution.tv_nsec);
}

void set_period(timer_t timer, std::chrono::nanoseconds period) {
  itimerspec every{};
  every.it_value.tv_nsec = every.it_interval.tv_nsec = period.count();
  ::timer_settime(timer, 0, &every, nullptr);
}

}  // namespace

EpochTicker::EpochTicker(OnTick on_tick, void* context)
    : on_tick_(on_tick),
      context_(context),
      first_slice_max_(std::max(scheduler_tick(), watch_period) + 2 * tick) {}

int EpochTicker::make_timer(clockid_t clock, Timer& timer) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = tick_signal();
  event.sigev_value.sival_ptr = &timer;
  event._sigev_un._tid = ::gettid();
  if (::timer_create(clock, &event, &timer.id) != 0) return errno;
  timer.made = true;
  return 0;
}

expected<std::unique_ptr<EpochTicker>, int> EpochTicker::create(OnTick on_tick, void* context) {
  struct sigaction action{};
  action.sa_sigaction = handle;
  // On the signal stack: a guest's own may be nearly used up.
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (::sigaction(tick_signal(), &action, nullptr) != 0) return unexpected(errno);
  sigset_t unblocked;
  sigemptyset(&unblocked);
  sigaddset(&unblocked, tick_signal());
  if (const int error = ::pthread_sigmask(SIG_UNBLOCK, &unblocked, nullptr); error != 0)
    return unexpected(error);

  std::unique_ptr<EpochTicker> ticker(new EpochTicker(on_tick, context));
  if (const int error = make_timer(CLOCK_THREAD_CPUTIME_ID, ticker->watch_); error != 0)
    return unexpected(error);
  if (const int error = make_timer(CLOCK_MONOTONIC, ticker->precise_); error != 0) return unexpected(error);
  set_period(ticker->watch_.id, watch_period);  // for good: a thread that sleeps spends no CPU time
  return ticker;
}

EpochTicker::~EpochTicker() {
  // A tick that is pending already would name this object after its death.
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, tick_signal());
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  if (watch_.made) ::timer_delete(watch_.id);
  if (precise_.made) ::timer_delete(precise_.id);
  const timespec at_once{};
  while (::sigtimedwait(&blocked, nullptr, &at_once) > 0) {
  }
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
}

void EpochTicker::start_precise() {
  precise_running_ = true;
  set_period(precise_.id, tick);
}

void EpochTicker::slice_was_cut() {
  ticks_left_ = ticks_after_cut;
  if (!precise_running_) start_precise();
}

void EpochTicker::handle(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return;
  const int saved_errno = errno;
  const auto* timer = static_cast<const Timer*>(info->si_value.sival_ptr);
  EpochTicker& ticker = *timer->ticker;
  if (timer == &ticker.precise_) {
    ticker.on_precise();
  } else {
    ticker.on_watch();
  }
  errno = saved_errno;
}

void EpochTicker::on_watch() noexcept {
  if (!inside_ || precise_running_) return;
  on_tick_(context_);
  ticks_left_ = ticks_after_watch;
  start_precise();
}

void EpochTicker::on_precise() noexcept {
  on_tick_(context_);
  if (ticks_left_ > 0) ticks_left_ = ticks_left_ - 1;
  if (ticks_left_ > 0) return;
  const itimerspec never{};
  ::timer_settime(precise_.id, 0, &never, nullptr);
  precise_running_ = false;
}

}  // namespace tollgate::sandbox
