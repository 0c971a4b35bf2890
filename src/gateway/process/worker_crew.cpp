#include "gateway/process/worker_crew.hpp"

#include <algorithm>

#include "gateway/process/cpus.hpp"

namespace tollgate::gateway {
namespace {

using Result = WorkerCrew::Result;
using Table = std::shared_ptr<const PreparedTable>;

// Coroutines by value and by reference to what outlives their group.
Task<> start_slot(WorkerSlot& slot, Table table, Result& result) {
  auto started = co_await slot.start(std::move(table));
  if (!started) result = std::move(started);
}

Task<> offer_slot(WorkerSlot& slot, Table table, Result& result) {
  auto offered = co_await slot.offer(std::move(table));
  if (!offered) result = std::move(offered);
}

Task<> keep_slot(std::shared_ptr<WorkerSlot> slot) {
  co_await slot->keep();
}

}  // namespace

WorkerCrew::WorkerCrew(SlotContext& context, const Config& config, const ListenerSet& listeners)
    : context_(context) {
  const std::shared_ptr<SiblingLinks> siblings = SiblingLinks::create(config.workers);
  for (unsigned index = 0; index < config.workers; ++index) {
    const auto cpu = config.cpu_affinity ? cpu_of_worker(index, config.workers) : std::nullopt;
    OfferedListeners own{.addresses = listeners.actual(), .fds = listeners.of_worker(index)};
    slots_.push_back(std::make_shared<WorkerSlot>(context, index, cpu, std::move(own), siblings));
  }
}

Task<Result> WorkerCrew::start(Table table) {
  Result result;
  TaskGroup starting(context_.loop.get_executor());
  for (const auto& slot : slots_) starting.spawn(start_slot(*slot, table, result));
  co_await starting.wait();
  if (result) co_return result;
  for (const auto& slot : slots_) slot->abandon();
  TaskGroup ending(context_.loop.get_executor());
  keep(ending);
  co_await ending.wait();
  co_return result;
}

Task<Result> WorkerCrew::offer(Table table) {
  Result result;
  TaskGroup loading(context_.loop.get_executor());
  for (const auto& slot : slots_) loading.spawn(offer_slot(*slot, table, result));
  co_await loading.wait();
  if (result) co_return result;
  for (const auto& slot : slots_) co_await slot->discard(table->generation);
  co_return result;
}

Task<> WorkerCrew::switch_to_current() {
  TaskGroup switching(context_.loop.get_executor());
  for (const auto& slot : slots_) switching.spawn(slot->switch_to_current());
  co_await switching.wait();
}

Task<> WorkerCrew::tell(message::Upstreams changed) {
  const auto slots = slots_;
  for (const auto& slot : slots) co_await slot->tell(changed);
}

void WorkerCrew::keep(TaskGroup& keepers) {
  for (const auto& slot : slots_) {
    if (slot->pid() >= 0) keepers.spawn(keep_slot(slot));
  }
}

Task<> WorkerCrew::retire(std::chrono::milliseconds limit) {
  for (const auto& slot : slots_) co_await slot->retire(limit);
}

void WorkerCrew::abandon() {
  for (const auto& slot : slots_) slot->abandon();
}

std::size_t WorkerCrew::serving() const {
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->serving(); }));
}

}  // namespace tollgate::gateway
