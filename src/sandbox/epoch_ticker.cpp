#include "sandbox/epoch_ticker.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>

namespace tollgate::sandbox {

namespace {
int tick_signal() {
  return SIGRTMIN + 1;
}
}  // namespace

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
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = tick_signal();
  event.sigev_value.sival_ptr = ticker.get();
  event._sigev_un._tid = ::gettid();
  if (::timer_create(CLOCK_MONOTONIC, &event, &ticker->timer_) != 0) return unexpected(errno);
  ticker->made_ = true;
  return ticker;
}

EpochTicker::~EpochTicker() {
  // A tick that is pending already would name this object after its death.
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, tick_signal());
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  if (made_) ::timer_delete(timer_);
  const timespec at_once{};
  while (::sigtimedwait(&blocked, nullptr, &at_once) > 0) {
  }
  ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
}

void EpochTicker::arm() {
  armed_ = true;
  itimerspec every{};
  every.it_value.tv_nsec = every.it_interval.tv_nsec = tick.count();
  ::timer_settime(timer_, 0, &every, nullptr);
}

void EpochTicker::handle(int, siginfo_t* info, void*) {
  const int saved_errno = errno;
  if (info->si_code == SI_TIMER) static_cast<EpochTicker*>(info->si_value.sival_ptr)->on_signal();
  errno = saved_errno;
}

void EpochTicker::on_signal() noexcept {
  on_tick_(context_);
  const std::uint32_t entered = entered_;
  idle_ticks_ = entered == seen_ && !inside_ ? idle_ticks_ + 1 : 0;
  seen_ = entered;
  if (idle_ticks_ < idle_ticks_max) return;
  idle_ticks_ = 0;
  const itimerspec never{};
  ::timer_settime(timer_, 0, &never, nullptr);
  armed_ = false;
}

}  // namespace tollgate::sandbox
