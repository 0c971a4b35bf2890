// All worker slots of one shape of the configuration, and what is done with all of them at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/task_group.hpp"
#include "gateway/process/listeners.hpp"
#include "gateway/process/worker_slot.hpp"

namespace tollgate::gateway {

class WorkerCrew {
 public:
  using Result = expected<void, std::string>;

  // One slot per worker, each with its sockets of `listeners`, which stay open while the crew serves.
  WorkerCrew(SlotContext& context, const Config& config, const ListenerSet& listeners);

  // Starts a process for each slot; completes when all have loaded the table. After a failure none is left.
  Task<Result> start(std::shared_ptr<const PreparedTable> table);
  // Completes when all have loaded the table. After a failure all have forgotten it.
  Task<Result> offer(std::shared_ptr<const PreparedTable> table);
  Task<> switch_to_current();

  Task<> tell(message::Upstreams changed);

  // Restarts whoever ends, as tasks of `keepers`, which must be waited for after retire() or abandon().
  void keep(TaskGroup& keepers);
  Task<> retire(std::chrono::milliseconds limit);
  void abandon();

  std::size_t size() const { return slots_.size(); }
  std::size_t serving() const;

 private:
  SlotContext& context_;
  std::vector<std::shared_ptr<WorkerSlot>> slots_;
};

}  // namespace tollgate::gateway
