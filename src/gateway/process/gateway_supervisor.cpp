#include "gateway/process/gateway_supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "gateway/process/limits.hpp"
#include "gateway/process/lockdown.hpp"

namespace tollgate::gateway {
namespace {

// A SIGHUP that comes while the first table is read and compiled waits until it can be obeyed.
void hold_reloads(int how) {
  sigset_t reload;
  sigemptyset(&reload);
  sigaddset(&reload, SIGHUP);
  pthread_sigmask(how, &reload, nullptr);
}

}  // namespace

GatewaySupervisor::GatewaySupervisor(EventLoop& loop, Log& log, SupervisorOptions options,
                                     SharedCountsSegment counts)
    : loop_(loop),
      options_(std::move(options)),
      programs_(log, options_.precompiled),
      stats_(route_slots_),
      upstreams_(loop, log),
      context_{
          .loop = loop, .log = log, .counts = std::move(counts), .observer = stats_, .upstreams = upstreams_},
      signals_(loop),
      keepers_(loop.get_executor()),
      watchers_(loop.get_executor()),
      reloads_(loop.get_executor()),
      woken_(loop, SteadyTimer::time_point::max()) {}

Task<GatewaySupervisor::Result> GatewaySupervisor::start() {
  hold_reloads(SIG_BLOCK);
  auto read_now = read();
  if (!read_now) co_return unexpected(read_now.error());
  auto table = prepare(std::move(*read_now));
  if (!table) co_return unexpected(table.error());
  const Config& config = (*table)->config;
  auto listeners = ListenerSet::open(config.listen, config.workers, nullptr);
  if (!listeners) co_return unexpected(listeners.error());
  listeners_ = std::move(*listeners);
  OwnPorts own_ports;
  if (auto opened = open_own_ports(config, nullptr, own_ports); !opened) co_return opened;

  // From here on processes are to be ended, so signals are no longer left to end us.
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
  hold_reloads(SIG_UNBLOCK);
  co_await upstreams_.learn(config);
  crew_ = std::make_unique<WorkerCrew>(context_, config, *listeners_);
  auto started = co_await crew_->start(*table);
  if (!started) co_return started;
  context_.current = *table;
  if (auto active = listeners_->activate(); !active) co_return active;
  co_await crew_->switch_to_current();
  crew_->keep(keepers_);
  adopt_own_ports(config, std::move(own_ports));
  options_.listening(listeners_->actual(), config);
  co_return Result{};
}

// Opens those that differ from what serves.
GatewaySupervisor::Result GatewaySupervisor::open_own_ports(const Config& config, const Config* serving,
                                                            OwnPorts& opened) {
  if (config.admin && (serving == nullptr || serving->admin != config.admin)) {
    auto admin = AdminServer::open(loop_, *this, context_.log, *config.admin);
    if (!admin) return unexpected(admin.error());
    opened.admin = std::move(*admin);
  }
  if (config.kill_port && (serving == nullptr || serving->kill_port != config.kill_port)) {
    auto listener = listen_alone(*config.kill_port);
    if (!listener) return unexpected("kill_port: " + listener.error());
    opened.kill = std::make_unique<KillPort>(loop_, std::move(*listener));
  }
  return {};
}

void GatewaySupervisor::adopt_own_ports(const Config& config, OwnPorts opened) {
  if (opened.admin) context_.log.info("admin on http://{}", opened.admin->address());
  if (opened.admin || !config.admin) admin_ = std::move(opened.admin);
  if (opened.kill || !config.kill_port) {
    if (kill_port_) kill_port_->close();
    kill_port_ = std::move(opened.kill);
    if (!kill_port_) return;
    context_.log.info("kill port on {}", kill_port_->address());
    watchers_.spawn(watch_kill_port(kill_port_));
  }
}

Task<int> GatewaySupervisor::serve() {
  watchers_.spawn(watch_signals());
  watchers_.spawn(watch_upstreams());
  while (stop_ == Stop::no) {
    if (reload_wanted_ && !reloading()) {
      reload_wanted_ = false;
      reloads_.spawn(reload());
    }
    co_await woken_.async_wait(use_task_tuple);
  }
  if (stop_ == Stop::drain) co_await drain();
  crew_->abandon();
  co_return stop_ == Stop::now ? EXIT_FAILURE : EXIT_SUCCESS;
}

void GatewaySupervisor::stop(Stop how) {
  stop_ = how;
  woken_.cancel();
}

Task<> GatewaySupervisor::watch_signals() {
  SteadyTimer::time_point first{};
  for (;;) {
    const auto [error, number] = co_await signals_.async_wait(use_task_tuple);
    if (error) co_return;
    if (number == SIGHUP) {
      reload_wanted_ = true;
      woken_.cancel();
    } else if (stop_ == Stop::no) {
      context_.log.info("{}: draining", strsignal(number));
      first = SteadyTimer::clock_type::now();
      stop(Stop::drain);
    } else if (SteadyTimer::clock_type::now() - first > signal_echo_max) {
      context_.log.warning("{} again: ending at once", strsignal(number));
      stop(Stop::now);
      crew_->abandon();
    }
  }
}

Task<> GatewaySupervisor::watch_kill_port(std::shared_ptr<KillPort> port) {
  auto client = co_await port->asked();
  if (!client) co_return;
  context_.log.info("kill port: draining");
  if (stop_ == Stop::no) stop(Stop::drain);
  co_await linger(*client);
}

Task<> GatewaySupervisor::watch_upstreams() {
  for (;;) {
    auto changed = co_await upstreams_.changes();
    if (!changed.upstreams.empty()) co_await crew_->tell(std::move(changed));
  }
}

// Closes our own sockets first: each worker accepts what is queued before it closes its own, and then nobody
// listens.
Task<> GatewaySupervisor::drain() {
  listeners_.reset();
  co_await crew_->retire(context_.current->config.drain);
  if (kill_port_) kill_port_->close();
  co_await keepers_.wait();
  context_.log.info("drained");
}

MetricsSnapshot GatewaySupervisor::metrics() const {
  MetricsSnapshot snapshot = stats_.snapshot();
  snapshot.version = options_.version;
  snapshot.engine = options_.engine_version;
  snapshot.workers = crew_->serving();
  snapshot.supervisor_log_lines_dropped = context_.log.dropped();
  for (const Route& route : routes()) {
    if (quarantined(route)) snapshot.quarantined.push_back(route.name());
  }
  return snapshot;
}

bool GatewaySupervisor::quarantined(const Route& route) const {
  return context_.counts.counts().routes[route.slot].quarantined.load(std::memory_order_relaxed) != 0;
}

}  // namespace tollgate::gateway
