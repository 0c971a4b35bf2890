#include "bench/placement.hpp"

#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace tollgate::bench {
namespace {

Cores without(const Cores& cores, const Cores& taken) {
  Cores rest;
  for (const int core : cores) {
    bool is_taken = false;
    for (const int other : taken) is_taken = is_taken || other == core;
    if (!is_taken) rest.push_back(core);
  }
  return rest.empty() ? cores : rest;
}

}  // namespace

Placement Placement::of(Cores cores) {
  if (cores.empty()) throw std::runtime_error("no core to run on");
  Placement placement;
  placement.all = cores;
  placement.server = {cores.back()};
  placement.client = without(cores, placement.server);
  placement.upstream = {placement.client.back()};
  placement.client_beside_upstream = without(placement.client, placement.upstream);
  return placement;
}

Placement Placement::of_this_machine() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("sched_getaffinity failed");
  Cores cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return of(std::move(cores));
}

void pin_to(const Cores& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("sched_setaffinity failed");
}

void prefer_this_session() {
  if (::setsid() < 0) return;  // already the leader of one
  std::ofstream("/proc/self/autogroup") << -10;
}

}  // namespace tollgate::bench
