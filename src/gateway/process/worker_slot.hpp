// Keeps one worker alive: starts its process, gives it the table that serves, starts another when it ends;
// and the same for its spawner, if the table starts programs. A slot owns nothing a client waits in:
// listeners belong to the supervisor and outlive every process of the slot.
//
// Threads: the supervisor's event loop.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/log.hpp"
#include "base/task_group.hpp"
#include "gateway/process/crash_policy.hpp"
#include "gateway/process/prepared_table.hpp"
#include "gateway/process/shared_segments.hpp"
#include "gateway/process/siblings.hpp"
#include "gateway/process/table_offer.hpp"
#include "gateway/process/upstream_names.hpp"
#include "gateway/process/worker_process.hpp"

namespace tollgate::gateway {

// Told when a worker's counters come and go, so that totals survive it.
class WorkerObserver {
 public:
  virtual ~WorkerObserver() = default;
  virtual void worker_started(const WorkerSegments& segments) = 0;
  virtual void worker_ended(const WorkerSegments& segments) = 0;  // its segments go away after this call
  virtual void worker_restarted() = 0;  // it ended unasked and another one is started
};

// What the slots of a gateway have in common; owned by the supervisor, outlives them.
struct SlotContext {
  EventLoop& loop;
  Log& log;
  SharedCountsSegment counts;
  WorkerObserver& observer;
  const UpstreamNames& upstreams;
  std::shared_ptr<const PreparedTable> current;  // the table that serves
  Quarantine quarantine;
  std::set<pid_t> spawners;  // that live
};

class WorkerSlot : public std::enable_shared_from_this<WorkerSlot> {
 public:
  using Result = expected<void, std::string>;

  // `cpu`: that its processes keep to. `siblings`: what its workers share connections by; may be null.
  WorkerSlot(SlotContext& context, std::uint32_t index, std::optional<unsigned> cpu,
             OfferedListeners listeners, std::shared_ptr<SiblingLinks> siblings);

  // The first process, with `table` loaded but not serving yet. Then switch_to_current() and keep().
  Task<Result> start(std::shared_ptr<const PreparedTable> table);

  // Two-phase reload. A slot whose process is being restarted takes no part: it loads the current table
  // anyway.
  Task<Result> offer(std::shared_ptr<const PreparedTable> table);
  // To the table that SlotContext::current names now. A process that cannot is killed, and the next one loads
  // it.
  Task<> switch_to_current();
  Task<> discard(std::uint64_t generation);
  // Tells a process that serves; one that starts learns it anyway.
  Task<> tell(message::Upstreams changed);

  // Restarts the process whenever it ends; completes after retire() or abandon(), when it has ended.
  Task<> keep();

  // Lets the process finish what runs, and kills it when that takes longer than `limit`.
  Task<> retire(std::chrono::milliseconds limit);
  // Kills it.
  void abandon();

  pid_t pid() const { return process_ ? process_->pid() : -1; }
  bool serving() const { return state_ == State::serving; }

 private:
  enum class State : std::uint8_t { new_, restarting, serving, retiring };

  Task<Result> start_process(std::shared_ptr<const PreparedTable> table);
  Task<Result> load_current();
  Task<Result> offer_to(std::shared_ptr<WorkerProcess> process, std::shared_ptr<const PreparedTable> table,
                        OfferedListeners listeners);
  Task<Result> switch_or_load(std::shared_ptr<const PreparedTable> table);
  Task<Result> give_spawner(std::shared_ptr<WorkerProcess> worker, std::optional<message::Identity> identity);
  Task<> watch_spawner(std::shared_ptr<WorkerProcess> worker, std::shared_ptr<WorkerProcess> spawner,
                       std::optional<message::Identity> identity);
  Task<> restart();
  Task<> pause(std::chrono::milliseconds delay);
  void settle(const WorkerExit& exit);
  void suspect(std::uint32_t route_slot);

  SlotContext& context_;
  std::uint32_t index_;
  std::optional<unsigned> cpu_;
  OfferedListeners listeners_;
  std::shared_ptr<SiblingLinks> siblings_;
  State state_ = State::new_;
  std::shared_ptr<WorkerProcess> process_;
  std::optional<WorkerSegments> segments_;
  std::shared_ptr<WorkerProcess> spawner_;  // of process_, if the table needs one
  TaskGroup spawners_;                      // all that have not ended yet
  RestartBackoff backoff_;
  SteadyTimer pause_;
  bool changing_over_ = false;  // a process that was started again, to the table of now
  SteadyTimer changed_over_;    // is cancelled then
  std::optional<KillAfter> drain_bound_;
  std::optional<KillAfter> spawner_bound_;
};

}  // namespace tollgate::gateway
