// How many workers `workers = 0` means.
#pragma once

#include <string_view>

namespace tollgate::gateway {

// CPUs this process may run on, bounded by the CPU quota of its cgroup (v2): a container limited to one CPU
// gets one worker however large the machine is. At least 1.
unsigned usable_cpus();

// The quota in a cpu.max file ("200000 100000", "max 100000") in whole CPUs, rounded up; 0 when there is
// none.
unsigned quota_cpus(std::string_view cpu_max);

}  // namespace tollgate::gateway
