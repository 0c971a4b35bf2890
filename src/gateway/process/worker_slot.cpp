#include "gateway/process/worker_slot.hpp"

#include <csignal>
#include <utility>
#include <vector>

#include "gateway/process/limits.hpp"
#include "gateway/process/spawner_orphans.hpp"

namespace tollgate::gateway {
namespace {

// Whether the process ended by a fault of its own. SIGKILL and SIGTERM come from outside and say nothing
// about the route that was running.
bool is_crash(const WorkerExit& exit) {
  return !exit.clean() && exit.signal != SIGKILL && exit.signal != SIGTERM;
}

}  // namespace

WorkerSlot::WorkerSlot(SlotContext& context, std::uint32_t index, std::optional<unsigned> cpu,
                       OfferedListeners listeners, std::shared_ptr<SiblingLinks> siblings)
    : context_(context),
      index_(index),
      cpu_(cpu),
      listeners_(std::move(listeners)),
      siblings_(std::move(siblings)),
      spawners_(context.loop.get_executor()),
      pause_(context.loop),
      changed_over_(context.loop, SteadyTimer::time_point::max()) {}

Task<WorkerSlot::Result> WorkerSlot::start(std::shared_ptr<const PreparedTable> table) {
  auto started = co_await start_process(std::move(table));
  if (!started && process_) {
    // The caller gives up; nothing of the attempt stays.
    process_->kill();
    const WorkerExit exit = co_await process_->exited();
    settle(exit);
  }
  co_return started;
}

Task<WorkerSlot::Result> WorkerSlot::start_process(std::shared_ptr<const PreparedTable> table) {
  auto segments = WorkerSegments::create();
  if (!segments) co_return unexpected(segments.error());
  auto process = WorkerProcess::spawn(context_.loop, worker_command, context_.log.fd());
  if (!process) co_return unexpected(process.error());
  segments_.emplace(std::move(*segments));
  process_ = std::move(*process);
  context_.observer.worker_started(*segments_);
  const message::Message start(message::Start{.worker = index_, .cpu = cpu_, .identity = table->identity});
  std::vector<int> fds{context_.counts.fd(), segments_->mark_fd(), segments_->stats_fd()};
  if (siblings_) {
    const std::vector<int> shared = siblings_->of_worker(index_);
    fds.insert(fds.end(), shared.begin(), shared.end());
  }
  auto sent = co_await send_message(*process_, start, fds);
  if (!sent) co_return sent;
  co_return co_await offer_to(process_, std::move(table), listeners_);
}

Task<WorkerSlot::Result> WorkerSlot::offer(std::shared_ptr<const PreparedTable> table) {
  if (state_ != State::serving) co_return Result{};
  co_return co_await offer_to(process_, std::move(table), OfferedListeners{});
}

// Addresses first: the table may need names the worker has not heard of.
Task<WorkerSlot::Result> WorkerSlot::offer_to(std::shared_ptr<WorkerProcess> process,
                                              std::shared_ptr<const PreparedTable> table,
                                              OfferedListeners listeners) {
  for (message::Upstreams& known : context_.upstreams.known()) {
    const message::Message message(std::move(known));
    auto sent = co_await send_message(*process, message, {});
    if (!sent) co_return sent;
  }
  if (spawns_programs(table->config) && !spawner_) {
    auto given = co_await give_spawner(process, table->identity);
    if (!given) co_return given;
  }
  co_return co_await offer_table(process, std::move(table), std::move(listeners));
}

// A socket between the two; the spawner ends when the worker's end closes. After a failure either there is no
// spawner, or one that ends and is then replaced.
Task<WorkerSlot::Result> WorkerSlot::give_spawner(std::shared_ptr<WorkerProcess> worker,
                                                  std::optional<message::Identity> identity) {
  auto pair = make_channel_pair();
  if (!pair) co_return unexpected(pair.error());
  auto spawner = WorkerProcess::spawn(context_.loop, spawner_command, context_.log.fd());
  if (!spawner) co_return unexpected(spawner.error());
  spawner_ = *spawner;
  context_.spawners.insert(spawner_->pid());
  spawners_.spawn(watch_spawner(worker, *spawner, identity));
  const message::Message start(message::Start{.worker = index_, .cpu = cpu_, .identity = identity});
  const std::vector<int> theirs{pair->theirs.get()};
  auto sent = co_await send_message(**spawner, start, theirs);
  if (!sent) {
    (*spawner)->kill();
    co_return sent;
  }
  const message::Message socket(message::Spawner{index_});
  const std::vector<int> ours{pair->ours.get()};
  co_return co_await send_message(*worker, socket, ours);
}

Task<> WorkerSlot::watch_spawner(std::shared_ptr<WorkerProcess> worker,
                                 std::shared_ptr<WorkerProcess> spawner,
                                 std::optional<message::Identity> identity) {
  const auto self = shared_from_this();
  const WorkerExit exit = co_await spawner->exited();
  context_.spawners.erase(spawner->pid());
  if (!exit.clean()) co_await end_orphans(context_.loop, context_.spawners);
  SteadyTimer wait(context_.loop, spawner_pause);
  co_await wait.async_wait(use_task_tuple);
  if (spawner_ != spawner || process_ != worker || state_ == State::retiring) co_return;
  context_.log.warning("the spawner of worker {} ended by {}; starting another", index_, exit.describe());
  spawner_.reset();
  while (!spawner_ && process_ == worker && state_ != State::retiring) {
    const auto given = co_await give_spawner(worker, identity);
    if (given || spawner_) co_return;  // that one is watched itself
    context_.log.error("worker {} has no spawner: {}; trying again in {} ms", index_, given.error(),
                       spawner_retry.count());
    wait.expires_after(spawner_retry);
    co_await wait.async_wait(use_task_tuple);
  }
}

Task<> WorkerSlot::tell(message::Upstreams changed) {
  const auto process = process_;
  if (state_ != State::serving || !process) co_return;
  const message::Message message(std::move(changed));
  co_await send_message(*process, message, {});
}

Task<> WorkerSlot::switch_to_current() {
  if (changing_over_) {  // perhaps to the table before, and then by itself to this one
    while (changing_over_) co_await changed_over_.async_wait(use_task_tuple);
    co_return;
  }
  if (state_ != State::new_ && state_ != State::serving) co_return;
  const auto process = process_;
  auto switched = co_await switch_or_load(context_.current);
  if (!switched) {
    context_.log.error("worker {} is replaced, for it could not switch: {}", index_, switched.error());
    process->kill();
  }
  if (state_ == State::new_) state_ = State::serving;
}

// A process that was started after the table had been offered has not loaded it yet.
Task<WorkerSlot::Result> WorkerSlot::switch_or_load(std::shared_ptr<const PreparedTable> table) {
  const auto process = process_;
  auto switched = co_await switch_table(process, table->generation);
  if (switched) co_return switched;
  auto loaded = co_await offer_to(process, table, OfferedListeners{});
  if (!loaded) co_return loaded;
  co_return co_await switch_table(process, table->generation);
}

Task<> WorkerSlot::discard(std::uint64_t generation) {
  if (state_ == State::serving) co_await discard_table(process_, generation);
}

// The table may be replaced while it is being loaded: then there is one more to load. The listeners come with
// the first table that is served.
Task<WorkerSlot::Result> WorkerSlot::load_current() {
  auto table = context_.current;
  auto loaded = co_await start_process(table);
  changing_over_ = true;
  auto listeners = listeners_;
  while (loaded) {
    if (table == context_.current) {
      loaded = co_await switch_table(process_, table->generation);
      listeners = OfferedListeners{};
    }
    if (!loaded || table == context_.current) break;
    table = context_.current;
    loaded = co_await offer_to(process_, table, listeners);
  }
  changing_over_ = false;
  changed_over_.cancel();
  co_return loaded;
}

Task<> WorkerSlot::keep() {
  for (;;) {
    const WorkerExit exit = co_await process_->exited();
    settle(exit);
    if (state_ == State::retiring) {
      co_await spawners_.wait();
      co_return;
    }
    state_ = State::restarting;
    context_.log.warning("worker {} ended by {}; starting another", index_, exit.describe());
    context_.observer.worker_restarted();
    co_await pause(backoff_.crashed(std::chrono::steady_clock::now()));
    co_await restart();
    if (state_ == State::retiring && !process_) co_return;
  }
}

// Until a process serves, or the slot is to retire.
Task<> WorkerSlot::restart() {
  while (state_ == State::restarting) {
    const auto loaded = co_await load_current();
    if (loaded && state_ == State::restarting) {
      state_ = State::serving;
      co_return;
    }
    if (process_) {
      process_->kill();
      const WorkerExit exit = co_await process_->exited();
      settle(exit);
    }
    if (!loaded) {
      context_.log.error("worker {} could not be restarted: {}", index_, loaded.error());
      co_await pause(std::max(backoff_first, backoff_.crashed(std::chrono::steady_clock::now())));
    }
  }
}

Task<> WorkerSlot::pause(std::chrono::milliseconds delay) {
  if (delay.count() == 0 || state_ == State::retiring) co_return;
  context_.log.warning("worker {} crashes too often; next start in {} ms", index_, delay.count());
  pause_.expires_after(delay);
  co_await pause_.async_wait(use_task_tuple);
}

Task<> WorkerSlot::retire(std::chrono::milliseconds limit) {
  const State before = std::exchange(state_, State::retiring);
  pause_.cancel();
  const auto process = process_;
  if (!process) co_return;
  if (before != State::serving) {
    process->kill();
    co_return;
  }
  drain_bound_.emplace(process, context_.loop.get_executor(), limit + drain_grace);
  const message::Message drain(message::Drain{limit});
  co_await send_message(*process, drain, {});
}

void WorkerSlot::abandon() {
  state_ = State::retiring;
  pause_.cancel();
  if (process_) process_->kill();
}

void WorkerSlot::settle(const WorkerExit& exit) {
  const auto route_slot = settle_after_death(context_.counts.counts(), segments_->mark());
  if (route_slot && is_crash(exit)) suspect(*route_slot);
  context_.observer.worker_ended(*segments_);
  if (siblings_) siblings_->gone(index_);
  segments_.reset();
  process_.reset();
  if (spawner_)
    spawner_bound_.emplace(std::exchange(spawner_, nullptr), context_.loop.get_executor(), spawner_end_max);
}

void WorkerSlot::suspect(std::uint32_t route_slot) {
  std::string name = "a route that is gone";
  for (const Route& route : context_.current->config.routes) {
    if (route.slot == route_slot) name = route.name();
  }
  context_.log.warning("worker {} crashed while it ran a guest of {}", index_, name);
  if (!context_.quarantine.crashed(route_slot)) return;
  context_.counts.counts().routes[route_slot].quarantined = 1;
  context_.log.error("{} is quarantined after {} crashes: 503 until the next reload", name,
                     crashes_before_quarantine);
}

}  // namespace tollgate::gateway
