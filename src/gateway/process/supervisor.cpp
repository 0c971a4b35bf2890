#include "gateway/process/supervisor.hpp"

#include <fmt/format.h>

#include <boost/asio/basic_signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "base/task_group.hpp"
#include "gateway/process/cpu_count.hpp"
#include "gateway/process/kill_port.hpp"
#include "gateway/process/limits.hpp"
#include "gateway/process/listeners.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/route_slots.hpp"
#include "gateway/process/run_in_thread.hpp"
#include "gateway/process/worker_crew.hpp"

namespace tollgate::gateway {
namespace {

using Result = expected<void, std::string>;
using Table = std::shared_ptr<const PreparedTable>;

class NoObserver : public WorkerObserver {
 public:
  void worker_started(const WorkerSegments&) override {}
  void worker_ended(const WorkerSegments&) override {}
  void worker_restarted() override {}
};

// Whether the workers that run may serve `next`: it needs no right they do not have.
bool same_rights(const Config& serving, const Config& next) {
  return serving.listen == next.listen && serving.workers == next.workers && serving.user == next.user &&
         directories_of(serving) == directories_of(next);
}

class Supervisor {
 public:
  Supervisor(EventLoop& loop, Log& log, ConfigSource source, ServeEvents events, SharedCountsSegment counts)
      : loop_(loop),
        source_(std::move(source)),
        events_(std::move(events)),
        context_{.loop = loop, .log = log, .counts = std::move(counts), .observer = observer_},
        signals_(loop),
        keepers_(loop.get_executor()),
        watchers_(loop.get_executor()),
        reloads_(loop.get_executor()),
        woken_(loop, SteadyTimer::time_point::max()) {}

  // Everything up to the line "listening on".
  Task<Result> start();
  // Until told to stop; the exit code.
  Task<int> serve();
  // Whether a reload that blocks in its thread has to be left behind.
  bool reloading() const { return reloads_.running() > 0; }

 private:
  enum class Stop : std::uint8_t { no, drain, now };

  expected<Table, std::string> load_config(expected<Config, std::string> read);
  Result open_kill_port(const Config& config);
  Task<> watch_signals();
  Task<> watch_kill_port();
  Task<> reload();
  Task<Result> reload_once();
  Task<Result> replace_workers(Table table);
  Task<> drain();
  void stop(Stop how);

  EventLoop& loop_;
  ConfigSource source_;
  ServeEvents events_;
  NoObserver observer_;
  SlotContext context_;
  asio::basic_signal_set<Executor> signals_;
  TaskGroup keepers_;
  TaskGroup watchers_;
  TaskGroup reloads_;
  SteadyTimer woken_;
  RouteSlots route_slots_;
  std::uint64_t generation_ = 0;
  std::optional<ListenerSet> listeners_;
  std::unique_ptr<WorkerCrew> crew_;
  std::optional<KillPort> kill_port_;
  Stop stop_ = Stop::no;
  bool reload_wanted_ = false;
};

expected<Table, std::string> Supervisor::load_config(expected<Config, std::string> read) {
  if (!read) return unexpected(read.error());
  Config config = std::move(*read);
  if (config.workers == 0) config.workers = usable_cpus();
  auto identity = worker_identity(config.user);
  if (!identity) return unexpected(identity.error());
  const auto serving = context_.current;
  auto reused = route_slots_.assign(config.routes, serving ? std::span<const Route>(serving->config.routes)
                                                           : std::span<const Route>());
  if (!reused) return unexpected(reused.error());
  auto table = prepare_table(++generation_, std::move(config), {});
  if (table) context_.identity = *identity;
  return table;
}

Task<Result> Supervisor::start() {
  auto table = load_config(source_());
  if (!table) co_return unexpected(table.error());
  const Config& config = (*table)->config;
  auto listeners = ListenerSet::open(config.listen, config.workers, nullptr);
  if (!listeners) co_return unexpected(listeners.error());
  listeners_ = std::move(*listeners);
  if (auto opened = open_kill_port(config); !opened) co_return opened;

  for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
  crew_ = std::make_unique<WorkerCrew>(context_, config.workers, *listeners_);
  auto started = co_await crew_->start(*table);
  if (!started) co_return started;
  context_.current = *table;
  if (auto active = listeners_->activate(); !active) co_return active;
  co_await crew_->switch_to_current();
  crew_->keep(keepers_);
  events_.listening(listeners_->actual(), config);
  co_return Result{};
}

Result Supervisor::open_kill_port(const Config& config) {
  if (!config.kill_port) return {};
  auto listener = listen_alone(*config.kill_port);
  if (!listener) return unexpected(listener.error());
  context_.log.info("kill port on {}", bound_address(listener->get()));
  kill_port_.emplace(loop_, std::move(*listener));
  return {};
}

Task<int> Supervisor::serve() {
  watchers_.spawn(watch_signals());
  if (kill_port_) watchers_.spawn(watch_kill_port());
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

void Supervisor::stop(Stop how) {
  stop_ = how;
  woken_.cancel();
}

Task<> Supervisor::watch_signals() {
  for (;;) {
    const auto [error, number] = co_await signals_.async_wait(use_task_tuple);
    if (error) co_return;
    if (number == SIGHUP) {
      reload_wanted_ = true;
      woken_.cancel();
    } else if (stop_ == Stop::no) {
      context_.log.info("{}: draining", strsignal(number));
      stop(Stop::drain);
    } else {
      context_.log.warning("{} again: ending at once", strsignal(number));
      stop(Stop::now);
      crew_->abandon();
    }
  }
}

Task<> Supervisor::watch_kill_port() {
  auto client = co_await kill_port_->asked();
  if (!client) co_return;
  context_.log.info("kill port: draining");
  if (stop_ == Stop::no) stop(Stop::drain);
  co_await linger(*client);
}

// Stops accepting by closing our own sockets once the workers have been told: each accepts what is queued before it
// closes its own.
Task<> Supervisor::drain() {
  const auto limit = context_.current->config.drain;
  co_await crew_->retire(limit);
  listeners_.reset();
  if (kill_port_) kill_port_->close();
  co_await keepers_.wait();
  context_.log.info("drained");
}

Task<> Supervisor::reload() {
  const auto result = co_await reload_once();
  if (result) {
    context_.log.info("reloaded {} routes", context_.current->config.routes.size());
  } else {
    context_.log.error("reload refused, the old configuration serves on: {}", result.error());
  }
  woken_.cancel();
}

Task<Result> Supervisor::reload_once() {
  auto read = co_await run_in_thread(loop_, [this] { return source_(); });
  auto table = load_config(std::move(read));
  if (!table) co_return unexpected(table.error());
  if (stop_ != Stop::no) co_return unexpected(std::string("stopping"));
  if (!same_rights(context_.current->config, (*table)->config)) co_return co_await replace_workers(*table);
  auto offered = co_await crew_->offer(*table);
  if (!offered) co_return offered;
  if (stop_ != Stop::no) co_return unexpected(std::string("stopping"));
  context_.current = *table;
  co_await crew_->switch_to_current();
  co_return Result{};
}

// The new workers have all loaded the table before the first of them serves; then the old ones drain.
Task<Result> Supervisor::replace_workers(Table table) {
  const Config& config = table->config;
  auto listeners = ListenerSet::open(config.listen, config.workers, &*listeners_);
  if (!listeners) co_return unexpected(listeners.error());
  auto crew = std::make_unique<WorkerCrew>(context_, config.workers, *listeners);
  auto started = co_await crew->start(table);
  const auto before = static_cast<unsigned>(crew_->size());
  if (!started || stop_ != Stop::no) {
    crew->abandon();
    crew->keep(keepers_);
    if (listeners_) listeners_->shrink(before);
    co_return started ? Result(unexpected(std::string("stopping"))) : started;
  }
  context_.current = table;
  const auto active = listeners->activate();
  if (!active) context_.log.error("{}", active.error());
  co_await crew->switch_to_current();
  crew->keep(keepers_);
  std::swap(crew_, crew);
  listeners_ = std::move(*listeners);
  co_await crew->retire(config.drain);
  listeners_->shrink(config.workers);
  co_return Result{};
}

Task<> run(Supervisor& supervisor, EventLoop& loop, expected<int, std::string>& outcome) {
  auto started = co_await supervisor.start();
  if (started) {
    outcome = co_await supervisor.serve();
  } else {
    outcome = unexpected(started.error());
  }
  loop.stop();
}

}  // namespace

expected<int, std::string> run_supervisor(Log& log, ConfigSource source, ServeEvents events) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_fd_limit();
  auto counts = SharedCountsSegment::create();
  if (!counts) return unexpected(counts.error());
  EventLoop loop(1);
  Supervisor supervisor(loop, log, std::move(source), std::move(events), std::move(*counts));
  expected<int, std::string> outcome = EXIT_SUCCESS;
  asio::co_spawn(loop, run(supervisor, loop, outcome), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  loop.run();
  // A thread that still reads or compiles would use what is about to be destroyed.
  if (supervisor.reloading() && outcome) std::_Exit(*outcome);
  return outcome;
}

}  // namespace tollgate::gateway
