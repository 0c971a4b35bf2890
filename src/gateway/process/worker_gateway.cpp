#include "gateway/process/worker_gateway.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace tollgate::gateway {
namespace {

UniqueFd stderr_sink() {
  return UniqueFd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
}

http::ServerLimits server_limits(std::uint32_t connections_max) {
  http::ServerLimits limits;
  limits.connections_max = connections_max;
  return limits;
}

AccessLogWriter::Requests logged_requests(AccessLog::Target target) {
  switch (target) {
    case AccessLog::Target::off:
      return AccessLogWriter::Requests::none;
    case AccessLog::Target::failures:
      return AccessLogWriter::Requests::failed;
    case AccessLog::Target::stderr_:
    case AccessLog::Target::file:
      break;
  }
  return AccessLogWriter::Requests::all;
}

}  // namespace

expected<WorkerMemory, std::string> WorkerMemory::map(int counts_fd, int mark_fd, int stats_fd) {
  auto counts = SharedMapping::map(counts_fd, sizeof(SharedCounts), MapAccess::read_write);
  if (!counts) return unexpected(counts.error());
  auto mark = SharedMapping::map(mark_fd, sizeof(WorkerMark), MapAccess::read_write);
  if (!mark) return unexpected(mark.error());
  auto stats = SharedMapping::map(stats_fd, sizeof(StatsSegment), MapAccess::read_write);
  if (!stats) return unexpected(stats.error());
  return WorkerMemory{std::move(*counts), std::move(*mark), std::move(*stats)};
}

WorkerGateway::Serving::Serving(EventLoop& loop, TimerWheel& wheel, WorkerServices& services,
                                OfferedTable& table, WorkerRow& row, Log& log)
    : dispatcher(services, table.table),
      server(loop, wheel, dispatcher, log, server_limits(table.connections_max)),
      connection_stats(loop, server.counters(), row) {}

WorkerGateway::WorkerGateway(EventLoop& loop, WorkerMemory memory, Log& log)
    : loop_(loop),
      memory_(std::move(memory)),
      stats_(*static_cast<StatsSegment*>(memory_.stats.data())),
      log_(log),
      access_log_(loop, stderr_sink(), AccessLogWriter::Requests::none, stats_.worker),
      recorder_(stats_, access_log_),
      loop_delay_(loop, stats_.worker.loop_delay),
      heap_trim_(loop),
      wheel_(loop),
      upstreams_(loop.get_executor(), wheel_),
      guests_(loop.get_executor(), *static_cast<WorkerMark*>(memory_.mark.data())),
      spawner_(loop),
      services_{.executor = loop.get_executor(),
                .wheel = wheel_,
                .counts = *static_cast<SharedCounts*>(memory_.counts.data()),
                .mark = *static_cast<WorkerMark*>(memory_.mark.data()),
                .observer = recorder_,
                .upstreams = upstreams_,
                .guests = &guests_,
                .spawner = &spawner_} {}

WorkerGateway::Result WorkerGateway::load(ReceivedTable received) {
  offered_.reset();
  TableResources resources;
  for (auto& [module, bundle] : received.programs) {
    auto program = programs_.load(std::move(bundle));
    if (!program) return unexpected(fmt::format("{}: {}", module, program.error()));
    resources.programs.emplace(module, std::move(*program));
  }
  resources.directories = std::move(received.directories);
  resources.modules = std::move(received.modules);
  const AccessLog::Target target = received.config.access_log.target;
  OfferedTable offered{.generation = received.generation,
                       .listeners = std::move(received.listeners),
                       .connections_max = received.config.connections};
  offered.log_sink = target == AccessLog::Target::file ? std::move(received.access_log) : stderr_sink();
  offered.log_requests = logged_requests(target);
  auto table = LoadedTable::load(std::move(received.config), std::move(resources), services_);
  if (!table) return unexpected(table.error());
  offered.table = std::move(*table);
  offered_ = std::move(offered);
  return {};
}

void WorkerGateway::discard(std::uint64_t generation) {
  if (offered_ && offered_->generation == generation) offered_.reset();
}

WorkerGateway::Result WorkerGateway::switch_to(std::uint64_t generation) {
  if (!offered_ || offered_->generation != generation) {
    return unexpected(fmt::format("table {} is not loaded", generation));
  }
  OfferedTable table = std::move(*offered_);
  offered_.reset();
  access_log_.reopen(std::move(table.log_sink), table.log_requests);
  if (!serving_) {
    serving_.emplace(loop_, wheel_, services_, table, stats_.worker, log_);
    serving_->connection_stats.start();
    loop_delay_.start();
    heap_trim_.start();
    if (siblings_) siblings_->join(serving_->server);
  } else {
    serving_->dispatcher.use(std::move(table.table));
  }
  for (ReceivedListener& listener : table.listeners) {
    if (!serving_->server.listen(std::move(listener.fd))) {
      return unexpected(fmt::format("{}: cannot accept there", listener.address));
    }
  }
  return {};
}

void WorkerGateway::update(const message::Upstreams& resolved) {
  for (const message::Upstream& upstream : resolved.upstreams)
    upstreams_.update(upstream.host, upstream.addresses);
}

Task<> WorkerGateway::drain(std::chrono::milliseconds limit) {
  if (!serving_) co_return;
  http::Server& server = serving_->server;
  if (siblings_) siblings_->leave();
  server.drain();
  SteadyTimer cut(loop_, limit);
  cut.async_wait([&server](error_code error) {
    if (!error) server.drain();  // a second call cuts
  });
  do {
    co_await server.drained();
  } while (siblings_ && siblings_->take_rest());
  serving_->connection_stats.publish();
}

}  // namespace tollgate::gateway
