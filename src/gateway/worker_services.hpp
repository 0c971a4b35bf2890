// What a worker's backends share: made once per worker process, outlives every loaded table.
#pragma once

#include "base/async.hpp"
#include "base/timer_wheel.hpp"
#include "gateway/backends/upstream/upstream_addresses.hpp"
#include "gateway/observe/request_observer.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {

struct GuestServices;
class SpawnClient;

struct WorkerServices {
  Executor executor;
  TimerWheel& wheel;
  SharedCounts& counts;
  WorkerMark& mark;
  RequestObserver& observer;
  UpstreamAddresses& upstreams;
  GuestServices* guests = nullptr;  // without it, a table with guests cannot be loaded
  SpawnClient* spawner = nullptr;   // without it, a table with spawn routes cannot be loaded
};

}  // namespace tollgate::gateway
