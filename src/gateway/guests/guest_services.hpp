// What the guests of a worker share. Made once per worker process, outlives every loaded table.
#pragma once

#include "gateway/guests/guest_buffers.hpp"
#include "gateway/guests/guest_scheduler.hpp"

namespace tollgate::gateway {

struct GuestServices {
  GuestServices(Executor executor, WorkerMark& mark) : scheduler(executor, mark) {}

  GuestScheduler scheduler;
  GuestBufferPool buffers;
};

}  // namespace tollgate::gateway
