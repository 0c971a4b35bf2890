#include "gateway/observe/stats_recorder.hpp"

#include <algorithm>

namespace tollgate::gateway {
namespace {

std::uint64_t nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

void count_guest(RouteRow& row, const sandbox::Costs& costs) {
  row.guest_instantiate.record(nanoseconds(costs.instantiate));
  row.guest_run.record(nanoseconds(costs.run));
  row.guest_teardown.record(nanoseconds(costs.teardown));
  row.guest_cpu_ns.add(nanoseconds(costs.cpu));
  row.guest_hot_pages.record(costs.hot_pages);
}

void count_program(RouteRow& row, const ProgramCosts& costs) {
  row.program_run.record(nanoseconds(costs.run));
  row.program_cpu_ns.add(nanoseconds(costs.cpu));
  row.program_memory_peak_bytes.set(std::max(row.program_memory_peak_bytes.get(), costs.memory_bytes_peak));
}

void count_upstream(RouteRow& row, const RequestRecord& record) {
  const UpstreamUse& upstream = record.upstream;
  row.upstream_connects.add(upstream.connects);
  row.upstream_reuses.add(upstream.reuses);
  row.upstream_retries.add(upstream.retries);
  if (record.reason != nullptr && (record.reason->status == 502 || record.reason->status == 504)) {
    row.upstream_failures.add();
  }
}

std::string_view sentence(const RequestRecord& record) {
  if (record.reason == nullptr) return record.detail;
  return record.detail.empty() ? record.reason->text : record.detail;
}

}  // namespace

StatsRecorder::StatsRecorder(StatsSegment& segment, AccessLogWriter& log) : segment_(segment), log_(log) {
  WorkerRow& worker = segment_.worker;
  worker.connections_closed.add(worker.connections_accepted.get() - worker.connections_closed.get());
}

void StatsRecorder::ended(const RequestRecord& record) {
  RouteRow& row = segment_.route(record.slot);
  row.requests.add(row.requests.entry(record.status, record.outcome()));
  row.request_bytes.add(record.request_bytes);
  row.response_bytes.add(record.response_bytes);
  row.queue.record(nanoseconds(record.queued));
  row.handler.record(nanoseconds(record.handled));
  row.total.record(nanoseconds(record.total));
  if (record.guest != nullptr) count_guest(row, *record.guest);
  if (record.program != nullptr) count_program(row, *record.program);
  if (record.upstream.connects + record.upstream.reuses > 0) count_upstream(row, record);

  if (!log_.wants(record.received + record.total, record.reason)) return;
  AccessRecord line{.ended = record.received + record.total,
                    .request_id = record.request_id,
                    .remote = record.remote_address,
                    .method = record.method,
                    .target = record.target,
                    .route = record.route_name,
                    .status = record.status,
                    .outcome = record.outcome(),
                    .reason = sentence(record),
                    .request_bytes = record.request_bytes,
                    .response_bytes = record.response_bytes,
                    .queue = record.queued,
                    .handler = record.handled,
                    .total = record.total,
                    .upstream_status = record.upstream.status};
  if (record.guest != nullptr) line.guest_cpu = record.guest->cpu;
  if (record.program != nullptr) {
    line.program_cpu = record.program->cpu;
    line.program_memory_bytes_peak = record.program->memory_bytes_peak;
  }
  log_.request(line);
}

void StatsRecorder::refused(const http::Reason& reason, std::string_view remote_address) {
  OutcomeTable& requests = segment_.unrouted.requests;
  requests.add(requests.entry(reason.status, reason.word));
  if (!log_.wants_refused()) return;
  log_.request({.ended = std::chrono::steady_clock::now(),
                .remote = remote_address,
                .status = reason.status,
                .outcome = reason.word,
                .reason = reason.text});
}

void StatsRecorder::sandbox_begun(std::uint32_t slot) {
  RouteRow& row = segment_.route(slot);
  row.sandboxes_active.raise();
  row.sandboxes_max.set(std::max(row.sandboxes_max.get(), row.sandboxes_active.get()));
}

void StatsRecorder::sandbox_ended(std::uint32_t slot) {
  segment_.route(slot).sandboxes_active.lower();
}

void StatsRecorder::guest_line(std::string_view request_id, std::string_view route_name,
                               std::string_view line) {
  log_.guest_line(std::chrono::steady_clock::now(), request_id, route_name, line);
}

void LoopDelayProbe::start() {
  timer_.expires_after(interval);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // stopped: `this` may be gone
    delays_.record(nanoseconds(std::chrono::steady_clock::now() - timer_.expiry()));
    start();
  });
}

}  // namespace tollgate::gateway
