// What /proc tells about a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace tollgate::testing {

struct ProcessFigures {
  std::size_t descriptors = 0;
  std::size_t mappings = 0;
  // Anonymous memory and its part of memory files. Pages of the executable are left out: whether they count
  // as shared changes with the gateways that other tests start and end meanwhile.
  std::uint64_t memory_kib = 0;
};

ProcessFigures figures_of(pid_t pid);

// Gone, or waiting to be reaped by whoever is its parent now.
bool has_ended(pid_t pid);

// The value after "NAME:" in /proc/PID/status, without surrounding blanks.
std::string status_value(pid_t pid, const std::string& name);
// The soft and hard limit of that row of /proc/PID/limits, e.g. "Max core file size".
std::string limit_row(pid_t pid, const std::string& name);

}  // namespace tollgate::testing
