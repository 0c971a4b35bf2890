// Counts and logs what a worker's requests came to: the one implementation of RequestObserver outside tests.
// Without the access log a request costs some 20 ns here: no clock is read, nothing is allocated, no locked
// instruction is used.
#pragma once

#include <chrono>

#include "base/async.hpp"
#include "gateway/config/config.hpp"
#include "gateway/observe/access_log.hpp"
#include "gateway/observe/request_observer.hpp"
#include "gateway/observe/stats_row.hpp"

namespace tollgate::gateway {

class StatsRecorder final : public RequestObserver {
 public:
  // `segment` may hold what an earlier worker counted: counters go on, what it had open is closed.
  StatsRecorder(StatsSegment& segment, AccessLogWriter& log);

  void ended(const RequestRecord& record) override;
  void refused(const http::Reason& reason, std::string_view remote_address) override;
  void sandbox_begun(std::uint32_t slot) override;
  void sandbox_ended(std::uint32_t slot) override;
  void guest_line(std::string_view request_id, std::string_view route_name, std::string_view line) override;

 private:
  StatsSegment& segment_;
  AccessLogWriter& log_;
};

// Records how late the event loop runs a timer: what a request that becomes ready has to wait for its turn.
class LoopDelayProbe {
 public:
  static constexpr std::chrono::milliseconds interval{250};

  LoopDelayProbe(EventLoop& loop, DurationHistogram& delays) : timer_(loop), delays_(delays) {}
  void start();
  void stop() { timer_.cancel(); }

 private:
  SteadyTimer timer_;
  DurationHistogram& delays_;
};

}  // namespace tollgate::gateway
