// What the edge itself costs per request, without a socket: reading a head, writing one, arming a deadline.
#include <benchmark/benchmark.h>

#include "base/timer_wheel.hpp"
#include "http/request_parser.hpp"
#include "http/response_head.hpp"

namespace tollgate::http {
namespace {

constexpr std::string_view wrk_request = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
constexpr std::string_view browser_request =
    "GET /a/b?c=d HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: "
    "en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: session=0123456789abcdef; theme=dark\r\n\r\n";

void read_head(benchmark::State& state, std::string_view bytes) {
  RequestParser parser{HeadLimits{}};
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.parse_head(bytes));
  }
}
BENCHMARK_CAPTURE(read_head, wrk, wrk_request);
BENCHMARK_CAPTURE(read_head, browser, browser_request);

void write_head(benchmark::State& state) {
  DateLine date;
  std::string out;
  const Field fields[] = {{"Content-Type", "text/plain"}, {"X-Gateway-Variant", "native"}};
  const ResponseHead head{200, fields};
  for (auto _ : state) {
    out.clear();
    append_head(out, {.head = head,
                      .extra_fields = {},
                      .request_id = "0123456789abcdef01234567",
                      .date_line = date.now(),
                      .framing = {BodyFraming::Kind::length, 5},
                      .persistence = Persistence::keep_alive});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_head);

void arm_and_disarm(benchmark::State& state) {
  EventLoop loop;
  TimerWheel wheel(loop);
  TimerWheel::Deadline deadline([](void*) {}, nullptr);
  for (auto _ : state) {
    wheel.arm_after(deadline, std::chrono::seconds(60));
    deadline.disarm();
  }
}
BENCHMARK(arm_and_disarm);

}  // namespace
}  // namespace tollgate::http
