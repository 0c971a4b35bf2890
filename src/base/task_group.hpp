// Tasks that run at the same time and are waited for together; also the way to know when old work is done.
// Threads: the event loop's.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <cstddef>
#include <exception>
#include <utility>

#include "base/async.hpp"

namespace tollgate {

// Must outlive its tasks: wait() before destroying it.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor) : ended_(executor, SteadyTimer::time_point::max()) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // A task that throws ends the process: whatever can fail returns its failure.
  void spawn(Task<> task) {
    ++running_;
    asio::co_spawn(ended_.get_executor(), std::move(task), [this](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
      if (--running_ == 0) ended_.cancel();
    });
  }

  // Completes when no task runs. At most one waiter.
  Task<> wait() {
    while (running_ > 0) co_await ended_.async_wait(use_task_tuple);
  }

  std::size_t running() const { return running_; }

 private:
  SteadyTimer ended_;
  std::size_t running_ = 0;
};

}  // namespace tollgate
