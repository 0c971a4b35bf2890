// What counting and logging add to a request.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "gateway/observe/stats_recorder.hpp"

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;

RequestRecord record() {
  return {.slot = 3,
          .route_name = "/hello",
          .status = 200,
          .request_id = "0123456789abcdef",
          .method = "GET",
          .target = "/hello?name=world",
          .remote_address = "127.0.0.1",
          .received = std::chrono::steady_clock::now(),
          .handled = 2us,
          .total = 5us,
          .response_bytes = 5};
}

void end_requests(benchmark::State& state, AccessLogWriter::Requests requests) {
  void* const memory =
      ::mmap(nullptr, sizeof(StatsSegment), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& segment = *static_cast<StatsSegment*>(memory);
  EventLoop loop{1};
  AccessLogWriter log(loop, UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC | O_NONBLOCK)), requests,
                      segment.worker);
  StatsRecorder recorder(segment, log);
  const RequestRecord ended = record();
  for (auto _ : state) recorder.ended(ended);
  ::munmap(memory, sizeof(StatsSegment));
}

void metrics_only(benchmark::State& state) {
  end_requests(state, AccessLogWriter::Requests::none);
}
void metrics_and_access_log(benchmark::State& state) {
  end_requests(state, AccessLogWriter::Requests::all);
}
BENCHMARK(metrics_only);
BENCHMARK(metrics_and_access_log);

}  // namespace
}  // namespace tollgate::gateway
