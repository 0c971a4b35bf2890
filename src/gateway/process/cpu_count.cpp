#include "gateway/process/cpu_count.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/unique_fd.hpp"

namespace tollgate::gateway {

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
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  unsigned cpus = 1;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) cpus = std::max(1, CPU_COUNT(&allowed));
  // Inside a container this is the container's own limit.
  const UniqueFd file(::open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : 0;
  const unsigned quota = n > 0 ? quota_cpus({text, static_cast<std::size_t>(n)}) : 0;
  return quota > 0 ? std::min(cpus, quota) : cpus;
}

}  // namespace tollgate::gateway
