#include "gateway/process/spawner_orphans.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "gateway/spawn/process_tree.hpp"

namespace tollgate::gateway {
namespace {

constexpr int rounds_max = 50;
constexpr std::chrono::milliseconds round_pause{20};

// How many there were.
std::size_t kill_orphans(const std::set<pid_t>& spawners) {
  int adopts = 0;
  if (prctl(PR_GET_CHILD_SUBREAPER, &adopts) != 0 || adopts == 0) return 0;
  std::size_t found = 0;
  for (const pid_t child : children_of(getpid())) {
    if (getsid(child) == getsid(0) || spawners.count(child) != 0) continue;  // or a worker, or a compiler
    ++found;
    for (const pid_t below : descendants_of(child)) kill(below, SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, nullptr, WNOHANG);
  }
  return found;
}

}  // namespace

void adopt_orphans() {
  prctl(PR_SET_CHILD_SUBREAPER, children_of(getpid()).empty() ? 1 : 0);
}

Task<> end_orphans(EventLoop& loop, const std::set<pid_t>& spawners) {
  SteadyTimer pause(loop);
  for (int round = 0; round < rounds_max && kill_orphans(spawners) > 0; ++round) {
    pause.expires_after(round_pause);
    co_await pause.async_wait(use_task_tuple);
  }
}

void end_orphans_blocking() {
  for (int round = 0; round < rounds_max && kill_orphans({}) > 0; ++round)
    std::this_thread::sleep_for(round_pause);
}

}  // namespace tollgate::gateway
