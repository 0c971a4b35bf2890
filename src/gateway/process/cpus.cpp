#include "gateway/process/cpus.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/unique_fd.hpp"

namespace tollgate::gateway {

namespace {

// Empty on a machine of more CPUs than the set has room for.
cpu_set_t allowed_cpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
  return allowed;
}

}  // namespace

unsigned quota_cpus(std::string_view cpu_max) {
  const std::size_t space = cpu_max.find(' ');
  if (space == std::string_view::npos) return 0;
  unsigned long quota = 0;
  unsigned long period = 0;
  const char* const begin = cpu_max.data();
  const char* const end = begin + cpu_max.size();
  if (std::from_chars(begin, begin + space, quota).ec != std::errc{}) return 0;
  if (std::from_chars(begin + space + 1, end, period).ec != std::errc{} || period == 0) return 0;
  return static_cast<unsigned>((quota + period - 1) / period);
}

unsigned usable_cpus() {
  const cpu_set_t allowed = allowed_cpus();
  const unsigned cpus = std::max(1, CPU_COUNT(&allowed));
  // Inside a container this is the container's own limit.
  const UniqueFd file(::open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : 0;
  const unsigned quota = n > 0 ? quota_cpus({text, static_cast<std::size_t>(n)}) : 0;
  return quota > 0 ? std::min(cpus, quota) : cpus;
}

std::optional<unsigned> cpu_of_worker(unsigned index, unsigned workers) {
  const cpu_set_t allowed = allowed_cpus();
  if (std::cmp_not_equal(workers, CPU_COUNT(&allowed))) return std::nullopt;
  unsigned before = 0;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed) && before++ == index) return cpu;
  }
  return std::nullopt;
}

void keep_to(unsigned cpu) {
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(cpu, &own);
  sched_setaffinity(0, sizeof own, &own);
}

}  // namespace tollgate::gateway
