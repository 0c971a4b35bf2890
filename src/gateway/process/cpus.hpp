// The CPUs of this process: how many workers `workers = 0` means, and which CPU each of them keeps to.
#pragma once

#include <optional>
#include <string_view>

namespace tollgate::gateway {

// CPUs this process may run on, bounded by the CPU quota of its cgroup (v2): a container limited to one CPU
// gets one worker however large the machine is. At least 1.
unsigned usable_cpus();

// The CPU that worker `index` of `workers` keeps to: one of its own when there are exactly as many workers as
// CPUs this process may run on (sched_getaffinity(2)). nullopt otherwise: of two gateways with a part of a
// machine each, which is what fewer workers mean, both would choose the same few.
std::optional<unsigned> cpu_of_worker(unsigned index, unsigned workers);

// From now on this thread runs on `cpu` alone, and what it starts; where the kernel refuses, on as before.
void keep_to(unsigned cpu);

// The quota in a cpu.max file ("200000 100000", "max 100000") in whole CPUs, rounded up; 0 when there is
// none.
unsigned quota_cpus(std::string_view cpu_max);

}  // namespace tollgate::gateway
