#include "gateway/process/crash_policy.hpp"

#include <algorithm>

#include "gateway/process/limits.hpp"

namespace tollgate::gateway {

std::chrono::milliseconds RestartBackoff::crashed(SteadyTime now) {
  if (delay_.count() > 0) {
    // Time spent waiting is not time without a crash.
    if (now - recent_.back() <= crash_window + delay_) {
      recent_.back() = now;
      return delay_ = std::min(delay_ * 2, backoff_max);
    }
    recent_.clear();
  }
  while (!recent_.empty() && now - recent_.front() > crash_window) recent_.pop_front();
  recent_.push_back(now);
  return delay_ = recent_.size() > crashes_before_backoff ? backoff_first : std::chrono::milliseconds(0);
}

bool Quarantine::crashed(std::uint32_t slot) {
  return ++crashes_[slot] == crashes_before_quarantine;
}

}  // namespace tollgate::gateway
