// The supervisor's state and its tasks; see supervisor.hpp for what it does. gateway_supervisor.cpp starts
// and ends, gateway_reload.cpp reloads.
//
// Threads: one event loop; while a reload reads and compiles, a second thread that touches only
// options_.read_config, programs_ and the log.
#pragma once

#include <boost/asio/basic_signal_set.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task_group.hpp"
#include "gateway/observe/admin.hpp"
#include "gateway/process/admin_server.hpp"
#include "gateway/process/configured_programs.hpp"
#include "gateway/process/gateway_stats.hpp"
#include "gateway/process/kill_port.hpp"
#include "gateway/process/listeners.hpp"
#include "gateway/process/route_slots.hpp"
#include "gateway/process/supervisor.hpp"
#include "gateway/process/upstream_names.hpp"
#include "gateway/process/worker_crew.hpp"

namespace tollgate::gateway {

class GatewaySupervisor final : public AdminSource {
 public:
  using Result = expected<void, std::string>;
  using Table = std::shared_ptr<const PreparedTable>;

  GatewaySupervisor(EventLoop& loop, Log& log, SupervisorOptions options, SharedCountsSegment counts);

  // Everything up to the moment all workers serve.
  Task<Result> start();
  // Until told to stop; the exit code.
  Task<int> serve();
  // A reload is reading or compiling in its thread.
  bool reloading() const { return reloads_.running() > 0; }

  MetricsSnapshot metrics() const override;
  std::span<const Route> routes() const override { return context_.current->config.routes; }
  bool quarantined(const Route& route) const override;
  bool ready() const override { return stop_ == Stop::no && crew_->serving() == crew_->size(); }

 private:
  enum class Stop : std::uint8_t { no, drain, now };

  // A configuration with everything it names opened.
  struct Read {
    Config config;
    TableHandlers handlers;
  };
  // What only the supervisor serves.
  struct OwnPorts {
    std::unique_ptr<AdminServer> admin;
    std::unique_ptr<KillPort> kill;
  };

  expected<Read, std::string> read();  // blocks
  expected<Table, std::string> prepare(Read read);
  Result open_own_ports(const Config& config, const Config* serving, OwnPorts& opened);
  void adopt_own_ports(const Config& config, OwnPorts opened);

  Task<> watch_signals();
  Task<> watch_kill_port(std::shared_ptr<KillPort> port);
  Task<> watch_upstreams();
  void stop(Stop how);
  Task<> drain();

  Task<> reload();
  Task<Result> reload_once();
  Task<Result> change_to(Table table);
  Task<Result> reload_in_place(Table table);
  Task<Result> replace_workers(Table table);
  void now_serving(Table table);

  EventLoop& loop_;
  SupervisorOptions options_;
  ConfiguredPrograms programs_;
  RouteSlots route_slots_;
  GatewayStats stats_;
  UpstreamNames upstreams_;
  SlotContext context_;
  std::uint64_t generation_ = 0;

  std::optional<ListenerSet> listeners_;
  std::unique_ptr<WorkerCrew> crew_;
  std::unique_ptr<AdminServer> admin_;
  std::shared_ptr<KillPort> kill_port_;

  asio::basic_signal_set<Executor> signals_;
  TaskGroup keepers_;   // of worker slots
  TaskGroup watchers_;  // of signals, the kill port, names
  TaskGroup reloads_;
  SteadyTimer woken_;
  Stop stop_ = Stop::no;
  bool reload_wanted_ = false;
};

}  // namespace tollgate::gateway
