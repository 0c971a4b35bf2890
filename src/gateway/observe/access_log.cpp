#include "gateway/observe/access_log.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <time.h>

#include <algorithm>
#include <cstring>

namespace tollgate::gateway {
namespace {

// Bytes of a line that each text may take, escaped. Together with names and numbers they stay below
// line_bytes_max.
constexpr std::size_t target_bytes_max = 2048;
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t route_bytes_max = 512;
constexpr std::size_t reason_bytes_max = 512;
constexpr std::size_t id_bytes_max = 64;
constexpr std::size_t address_bytes_max = 64;
constexpr std::size_t numbers_and_names_bytes_max = 640;
static_assert(target_bytes_max + method_bytes_max + route_bytes_max + reason_bytes_max + id_bytes_max +
                  address_bytes_max + numbers_and_names_bytes_max <=
              AccessLogWriter::line_bytes_max);
constexpr std::size_t guest_line_bytes_max = 3072;
static_assert(AccessLogWriter::line_bytes_max <= PIPE_BUF);

std::chrono::nanoseconds system_minus_steady() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()) -
         std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

AccessLogWriter::AccessLogWriter(EventLoop& loop, UniqueFd sink, Requests requests, WorkerRow& counts)
    : sink_(std::move(sink)),
      requests_(requests),
      counts_(counts),
      timer_(loop),
      buffer_(new char[buffer_bytes]),
      steady_to_system_(system_minus_steady()) {}

// Each line is paid for by an interval; what was not used is kept, up to failed_at_once_max of them.
bool AccessLogWriter::takes_failed(SteadyTime now) {
  failed_paid_until_ = std::max(failed_paid_until_, now - failed_at_once_max * failed_interval);
  if (failed_paid_until_ + failed_interval > now) {
    counts_.log_lines_dropped.add();
    return false;
  }
  failed_paid_until_ += failed_interval;
  return true;
}

void AccessLogWriter::request(const AccessRecord& record) {
  char* const room = room_for_line();
  if (room == nullptr) return;
  JsonLine line(room, line_bytes_max);
  timestamp(line, record.ended);
  line.text("request_id", record.request_id, id_bytes_max);
  line.text("remote", record.remote, address_bytes_max);
  line.text("method", record.method, method_bytes_max);
  line.text("target", record.target, target_bytes_max);
  line.text("route", record.route, route_bytes_max);
  line.number("status", static_cast<std::uint64_t>(record.status));
  line.plain_text("outcome", record.outcome);
  if (!record.reason.empty()) line.text("reason", record.reason, reason_bytes_max);
  line.number("bytes_in", record.request_bytes);
  line.number("bytes_out", record.response_bytes);
  line.milliseconds("queue_ms", record.queue);
  line.milliseconds("handler_ms", record.handler);
  line.milliseconds("total_ms", record.total);
  if (record.guest_cpu)
    line.number("guest_cpu_us", static_cast<std::uint64_t>(record.guest_cpu->count()) / 1000);
  if (record.program_cpu) {
    line.number("program_cpu_us", static_cast<std::uint64_t>(record.program_cpu->count()) / 1000);
    line.number("program_memory_bytes_peak", record.program_memory_bytes_peak);
  }
  if (record.upstream_status != 0) {
    line.number("upstream_status", static_cast<std::uint64_t>(record.upstream_status));
  }
  line_done(line.finish());
}

void AccessLogWriter::guest_line(SteadyTime now, std::string_view request_id, std::string_view route,
                                 std::string_view text) {
  char* const room = room_for_line();
  if (room == nullptr) return;
  JsonLine line(room, line_bytes_max);
  timestamp(line, now);
  line.text("request_id", request_id, id_bytes_max);
  line.text("route", route, route_bytes_max);
  line.utf8_text("stderr", text, guest_line_bytes_max);
  line_done(line.finish());
}

// Where the next line may be written; nullptr when it must be dropped.
char* AccessLogWriter::room_for_line() {
  if (buffer_bytes - end_ < line_bytes_max && begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_bytes - end_ < line_bytes_max) {
    counts_.log_lines_dropped.add();
    return nullptr;
  }
  return buffer_.get() + end_;
}

void AccessLogWriter::line_done(std::size_t bytes) {
  end_ += bytes;
  if (!stalled_ && end_ - begin_ >= write_bytes) {
    flush();
  } else if (!timer_runs_) {
    write_later(write_after);
  }
}

void AccessLogWriter::timestamp(JsonLine& line, SteadyTime now) {
  // A batch begins: the wall clock may have been stepped since the last one.
  if (!timer_runs_) steady_to_system_ = system_minus_steady();
  const std::int64_t wall_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch() + steady_to_system_)
          .count();
  const std::int64_t second = wall_ms / 1000;
  if (second != cached_second_) {
    const time_t seconds = second;
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    ::strftime(cached_text_, sizeof cached_text_, "%Y-%m-%dT%H:%M:%S", &utc);
    cached_second_ = second;
  }
  const auto fraction = static_cast<unsigned>(wall_ms % 1000);
  char text[24];
  std::memcpy(text, cached_text_, 19);
  text[19] = '.';
  text[20] = static_cast<char>('0' + fraction / 100);
  text[21] = static_cast<char>('0' + fraction / 10 % 10);
  text[22] = static_cast<char>('0' + fraction % 10);
  text[23] = 'Z';
  line.plain_text("time", std::string_view(text, sizeof text));
}

void AccessLogWriter::flush() {
  std::string_view lines(buffer_.get() + begin_, end_ - begin_);
  const LogSink::Result result = sink_.write(lines);
  begin_ = end_ - lines.size();
  stalled_ = result == LogSink::Result::blocked;
  if (result == LogSink::Result::failed) drop_unwritten();
  if (begin_ == end_) begin_ = end_ = 0;
  if (stalled_ && !timer_runs_) write_later(retry_after);
}

void AccessLogWriter::drop_unwritten() {
  const auto lines =
      static_cast<std::uint64_t>(std::count(buffer_.get() + begin_, buffer_.get() + end_, '\n'));
  counts_.log_lines_dropped.add(lines);
  begin_ = end_ = 0;
}

void AccessLogWriter::write_later(std::chrono::milliseconds delay) {
  timer_runs_ = true;
  timer_.expires_after(delay);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // cancelled: `this` may be gone
    timer_runs_ = false;
    steady_to_system_ = system_minus_steady();
    flush();
  });
}

void AccessLogWriter::reopen(UniqueFd sink, Requests requests) {
  flush();
  drop_unwritten();
  stalled_ = false;
  sink_ = LogSink(std::move(sink));
  requests_ = requests;
}

}  // namespace tollgate::gateway
