// Reading the configuration, at start and again.
#include <algorithm>
#include <string_view>
#include <utility>

#include "gateway/process/cpus.hpp"
#include "gateway/process/gateway_supervisor.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/run_in_thread.hpp"

namespace tollgate::gateway {
namespace {

constexpr const char* stopping = "the gateway is stopping";

// Whether the workers that run may serve `next`: it needs no right they do not have, nor another place.
bool same_rights(const Config& serving, const Config& next) {
  return serving.listen == next.listen && serving.workers == next.workers &&
         serving.cpu_affinity == next.cpu_affinity && serving.user == next.user &&
         serving.connections == next.connections && spawns_programs(serving) == spawns_programs(next) &&
         directories_of(serving) == directories_of(next);
}

}  // namespace

expected<GatewaySupervisor::Read, std::string> GatewaySupervisor::read() {
  auto config = options_.read_config();
  if (!config) return unexpected(config.error());
  if (config->workers == 0) config->workers = usable_cpus();
  // Before anything is compiled, by a child that becomes another user too.
  if (const auto identity = worker_identity(config->user); !identity) return unexpected(identity.error());
  auto handlers = programs_.open(*config);
  if (!handlers) return unexpected(handlers.error());
  return Read{std::move(*config), std::move(*handlers)};
}

expected<GatewaySupervisor::Table, std::string> GatewaySupervisor::prepare(Read read) {
  const auto serving = context_.current;
  auto reused =
      route_slots_.assign(read.config.routes, serving ? std::span<const Route>(serving->config.routes)
                                                      : std::span<const Route>());
  if (!reused) return unexpected(reused.error());
  stats_.reuse(*reused);
  return prepare_table(++generation_, std::move(read.config), std::move(read.handlers));
}

Task<> GatewaySupervisor::reload() {
  const auto result = co_await reload_once();
  if (result) {
    stats_.reloaded();
    context_.log.info("reloaded {} routes", context_.current->config.routes.size());
  } else {
    stats_.reload_refused();
    // One line for each error, as `tollgate check` has them.
    for (std::string_view rest = result.error(); !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      context_.log.error("reload refused, the old configuration serves on: {}", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  // One that was asked for meanwhile starts when this task has ended.
  asio::post(loop_, [this] { woken_.cancel(); });
}

Task<GatewaySupervisor::Result> GatewaySupervisor::reload_once() {
  auto read_now = co_await run_in_thread(loop_, [this] { return read(); });
  if (!read_now) co_return unexpected(read_now.error());
  auto table = prepare(std::move(*read_now));
  if (!table) co_return unexpected(table.error());
  const auto serving = context_.current;
  const Config& config = (*table)->config;
  OwnPorts own_ports;
  Result result = open_own_ports(config, &serving->config, own_ports);
  if (result) result = co_await change_to(*table);
  if (!result) {
    if (own_ports.admin) co_await own_ports.admin->close();  // somebody may have asked it already
    co_return result;
  }
  auto old_admin = own_ports.admin || !config.admin ? std::move(admin_) : nullptr;
  adopt_own_ports(config, std::move(own_ports));
  if (old_admin) co_await old_admin->close();
  upstreams_.keep(config);
  co_return result;
}

Task<GatewaySupervisor::Result> GatewaySupervisor::change_to(Table table) {
  co_await upstreams_.learn(table->config);
  if (stop_ != Stop::no) co_return unexpected(std::string(stopping));
  const bool in_place = same_rights(context_.current->config, table->config);
  if (in_place) co_return co_await reload_in_place(std::move(table));
  co_return co_await replace_workers(std::move(table));
}

Task<GatewaySupervisor::Result> GatewaySupervisor::reload_in_place(Table table) {
  auto offered = co_await crew_->offer(table);
  if (!offered) co_return offered;
  if (stop_ != Stop::no) co_return unexpected(std::string(stopping));
  now_serving(std::move(table));
  co_await crew_->switch_to_current();
  co_return Result{};
}

// The new workers have all loaded the table before the first of them serves; then the old ones drain.
Task<GatewaySupervisor::Result> GatewaySupervisor::replace_workers(Table table) {
  const Config& config = table->config;
  const auto workers_before = static_cast<unsigned>(crew_->size());
  auto listeners = ListenerSet::open(config.listen, config.workers, listeners_ ? &*listeners_ : nullptr);
  if (!listeners) co_return unexpected(listeners.error());
  // By the time the new workers have started, nobody is in a handshake with a socket that is to be closed.
  if (listeners_) listeners_->steer_to_first(config.workers);
  auto crew = std::make_unique<WorkerCrew>(context_, config, *listeners);
  auto started = co_await crew->start(table);
  if (started && stop_ != Stop::no) started = unexpected(std::string(stopping));
  if (started) started = listeners->activate();
  if (!started) {
    crew->abandon();
    crew->keep(keepers_);
    if (listeners_) {
      listeners_->shrink(workers_before);
      listeners_->steer_to_first(workers_before);
    }
    co_return started;
  }
  now_serving(table);
  co_await crew->switch_to_current();
  crew->keep(keepers_);
  std::swap(crew_, crew);
  if (stop_ == Stop::no) {
    listeners_ = std::move(*listeners);
    // First here, so that the worker that accepts the last connection of a listener is the one that closes
    // it.
    listeners_->shrink(config.workers);
  } else {  // meanwhile: drain() knew of the old workers only
    co_await crew_->retire(config.drain);
  }
  co_await crew->retire(config.drain);
  co_return Result{};
}

// A reload is the operator's word that things are in order again.
void GatewaySupervisor::now_serving(Table table) {
  context_.current = std::move(table);
  context_.quarantine.lift();
  for (const Route& route : routes()) context_.counts.counts().routes[route.slot].quarantined = 0;
}

}  // namespace tollgate::gateway
