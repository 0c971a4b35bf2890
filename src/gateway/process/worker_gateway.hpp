// What a worker serves with: server, dispatcher, recorder and log, made once; and the tables, of which one
// serves and one may be loaded beside it.
//
// Threads: the worker's one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/timer_wheel.hpp"
#include "gateway/guests/guest_services.hpp"
#include "gateway/observe/access_log.hpp"
#include "gateway/observe/stats_recorder.hpp"
#include "gateway/process/connection_stats.hpp"
#include "gateway/process/heap_trim.hpp"
#include "gateway/process/program_shelf.hpp"
#include "gateway/process/siblings.hpp"
#include "gateway/process/table_receiver.hpp"
#include "gateway/routing/dispatcher.hpp"
#include "gateway/routing/loaded_table.hpp"
#include "gateway/shared_memory.hpp"
#include "gateway/spawn/spawn_client.hpp"
#include "gateway/worker_services.hpp"
#include "http/server.hpp"

namespace tollgate::gateway {

// A worker's shared memory, mapped.
struct WorkerMemory {
  SharedMapping counts;
  SharedMapping mark;
  SharedMapping stats;

  static expected<WorkerMemory, std::string> map(int counts_fd, int mark_fd, int stats_fd);
};

// A table that is loaded and waits for its turn.
struct OfferedTable {
  std::uint64_t generation = 0;
  TableLease table;
  std::vector<ReceivedListener> listeners;
  std::uint32_t connections_max = 0;
  UniqueFd log_sink;
  AccessLogWriter::Requests log_requests = AccessLogWriter::Requests::none;
};

class WorkerGateway {
 public:
  using Result = expected<void, std::string>;

  // Serves nobody before the first switch_to(). The first table's `connections` is for the worker's life.
  WorkerGateway(EventLoop& loop, WorkerMemory memory, Log& log);

  // Loads a table beside the one that serves. The error is a sentence that names what could not be loaded.
  Result load(ReceivedTable received);
  // Forgets the loaded one.
  void discard(std::uint64_t generation);
  // Serves with the loaded one.
  Result switch_to(std::uint64_t generation);

  // Connections are shared with them, as soon as this worker serves. Before the first switch_to().
  void share_with(std::unique_ptr<Siblings> siblings) { siblings_ = std::move(siblings); }

  // New addresses of upstream names, from now on and for every table.
  void update(const message::Upstreams& resolved);

  // Programs are started by the spawner at the other end from now on.
  void use_spawner(UniqueFd socket) { spawner_.connect(std::move(socket)); }

  // Stops accepting; completes when the last connection has ended. After `limit` all are cut.
  Task<> drain(std::chrono::milliseconds limit);

  // What the log still holds leaves, as far as its reader takes it.
  void flush_log() { access_log_.flush(); }

 private:
  // Exists from the first switch on.
  struct Serving {
    Serving(EventLoop& loop, TimerWheel& wheel, WorkerServices& services, OfferedTable& table, WorkerRow& row,
            Log& log);
    Dispatcher dispatcher;
    http::Server server;
    ConnectionStats connection_stats;
  };

  EventLoop& loop_;
  WorkerMemory memory_;
  StatsSegment& stats_;
  Log& log_;
  AccessLogWriter access_log_;
  StatsRecorder recorder_;
  LoopDelayProbe loop_delay_;
  HeapTrim heap_trim_;
  TimerWheel wheel_;
  UpstreamAddresses upstreams_;
  GuestServices guests_;
  SpawnClient spawner_;
  WorkerServices services_;
  ProgramShelf programs_;
  std::optional<OfferedTable> offered_;
  std::unique_ptr<Siblings> siblings_;  // if it has any
  std::optional<Serving> serving_;
};

}  // namespace tollgate::gateway
