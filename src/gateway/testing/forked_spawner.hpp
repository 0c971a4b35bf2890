// For tests: a real spawner in a process of its own; the test plays its worker.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "gateway/process/ipc.hpp"
#include "gateway/spawn/spawner.hpp"

namespace tollgate::gateway::testing {

class ForkedSpawner {
 public:
  ForkedSpawner() = default;
  ~ForkedSpawner() {
    if (pid_ > 0) end_by(SIGKILL);  // it heeds nothing less
  }
  ForkedSpawner(const ForkedSpawner&) = delete;
  ForkedSpawner& operator=(const ForkedSpawner&) = delete;

  // The worker's end of the channel; closing it ends the spawner. Once. `prepare` is called in the new
  // process.
  UniqueFd start(void (*prepare)() = [] {}) {
    auto pair = make_channel_pair();
    if (!pair) {
      ADD_FAILURE() << "no channel";
      return {};
    }
    pid_ = fork();
    if (pid_ == 0) {
      pair->ours.reset();
      prepare();
      _exit(run_spawner(std::move(pair->theirs), std::nullopt));
    }
    return std::move(pair->ours);
  }
  pid_t pid() const { return pid_; }

  // Both wait until it is gone and return its wait status.
  int end_by(int signal_number) {
    kill(pid_, signal_number);
    return wait();
  }
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace tollgate::gateway::testing
