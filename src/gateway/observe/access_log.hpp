// The access log: one JSON object per request and line, and what guests write to stderr in the same form
// (docs/operations.md lists the fields). Each worker writes its own lines.
//
// Lines are collected and written when there are enough of them or after a moment. When the sink does not
// take them (nobody reads the pipe, the disk is full) the buffer fills up, and from then on whole lines are
// dropped and counted: a request never waits for its log.
//
// Threads: the worker's one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/async.hpp"
#include "base/unique_fd.hpp"
#include "gateway/observe/json_line.hpp"
#include "gateway/observe/log_sink.hpp"
#include "gateway/observe/stats_row.hpp"
#include "http/reason.hpp"

namespace tollgate::gateway {

struct AccessRecord {
  SteadyTime ended;
  std::string_view request_id;
  std::string_view remote;  // address only
  std::string_view method;
  std::string_view target;
  std::string_view route;    // name; empty when none took it
  int status = 0;            // 0: nothing was sent
  std::string_view outcome;  // "ok" or the reason's word
  std::string_view reason;   // a sentence, empty when ok
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::chrono::nanoseconds queue{};
  std::chrono::nanoseconds handler{};
  std::chrono::nanoseconds total{};
  std::optional<std::chrono::nanoseconds> guest_cpu;
  std::optional<std::chrono::nanoseconds> program_cpu;
  std::uint64_t program_memory_bytes_peak = 0;  // with program_cpu
  int upstream_status = 0;                      // 0: no upstream answered
};

class AccessLogWriter {
 public:
  // Which requests have a line; guests' stderr has its lines always. `failed`: those that did not fail for
  // their client's sake (reason of 5xx), and of them as many as nobody can fill a disk with.
  enum class Requests : std::uint8_t { none, failed, all };

  static constexpr std::size_t line_bytes_max = 4096;      // PIPE_BUF: lines of several workers do not mix
  static constexpr std::size_t buffer_bytes = 256 * 1024;  // some 1,000 lines of a sink that stalls
  static constexpr std::size_t write_bytes = 32 * 1024;    // written at once from here on
  static constexpr std::chrono::milliseconds write_after{20};
  static constexpr std::chrono::milliseconds retry_after{50};
  static constexpr unsigned failed_at_once_max = 100;  // lines; what is above is counted as dropped
  static constexpr std::chrono::milliseconds failed_interval{100};  // and one more in each

  // `counts` gets the number of lines dropped.
  AccessLogWriter(EventLoop& loop, UniqueFd sink, Requests requests, WorkerRow& counts);

  // Whether a request that ended so is to have a line. `reason`: nullptr when it was answered as asked.
  bool wants(SteadyTime now, const http::Reason* reason) {
    if (requests_ != Requests::failed) return requests_ == Requests::all;
    return reason != nullptr && reason->status >= 500 && takes_failed(now);
  }
  // The same of one that never reached a route.
  bool wants_refused() const { return requests_ == Requests::all; }
  void request(const AccessRecord& record);
  // One line of a guest's stderr, without its end.
  void guest_line(SteadyTime now, std::string_view request_id, std::string_view route, std::string_view line);

  // Continues with another sink, e.g. after the old file was renamed. What the old one does not take at once
  // is lost.
  void reopen(UniqueFd sink, Requests requests);

  // Writes what there is, if the sink takes it. For the end of the process.
  void flush();

 private:
  bool takes_failed(SteadyTime now);
  char* room_for_line();
  void line_done(std::size_t bytes);
  void timestamp(JsonLine& line, SteadyTime now);
  void write_later(std::chrono::milliseconds delay);
  void drop_unwritten();

  LogSink sink_;
  Requests requests_;
  WorkerRow& counts_;
  SteadyTimer timer_;
  bool timer_runs_ = false;
  bool stalled_ = false;
  SteadyTime failed_paid_until_;  // failed_at_once_max intervals behind `now` at most
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // of what is not yet written
  std::size_t end_ = 0;
  std::chrono::nanoseconds steady_to_system_;  // the wall clock is read once per flush, not once per line
  std::int64_t cached_second_ = -1;
  char cached_text_[20];  // "2026-11-21T10:00:15" of that second
};

}  // namespace tollgate::gateway
