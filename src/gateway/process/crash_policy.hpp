// What follows from workers that crash: how long to wait before the next start, and which route to stop
// serving.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>

#include "base/async.hpp"

namespace tollgate::gateway {

// One worker slot's crashes. The first ones cost no delay: clients wait in the listener's queue meanwhile.
class RestartBackoff {
 public:
  // Records a crash and gives the time to wait before the next start.
  std::chrono::milliseconds crashed(SteadyTime now);

 private:
  std::deque<SteadyTime> recent_;
  std::chrono::milliseconds delay_{0};
};

// Crashes by the slot of the route whose guest was running, over all workers.
class Quarantine {
 public:
  // True when this crash is the one that puts the route into quarantine.
  bool crashed(std::uint32_t slot);
  // After a reload: every route starts anew.
  void lift() { crashes_.clear(); }

 private:
  std::map<std::uint32_t, unsigned> crashes_;
};

}  // namespace tollgate::gateway
