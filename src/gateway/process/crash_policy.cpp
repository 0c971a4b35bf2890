#include "gateway/process/crash_policy.hpp"

#include <algorithm>

#include "gateway/process/limits.hpp"

namespace tollgate::gateway {

std::chrono::milliseconds RestartBackoff::crashed(SteadyTime now) {
  // Time spent waiting is not time without a crash: it does not make the window pass.
  while (!recent_.empty() && now - recent_.front() > crash_window + delay_) recent_.pop_front();
  recent_.push_back(now);
  if (recent_.size() <= crashes_before_backoff) return delay_ = {};
  recent_.pop_front();
  return delay_ = std::clamp(delay_ * 2, backoff_first, backoff_max);
}

bool Quarantine::crashed(std::uint32_t slot) { return ++crashes_[slot] == crashes_before_quarantine; }

}  // namespace tollgate::gateway
