// Counting in a worker, summing in the supervisor and the page made of it, in one go.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gateway/observe/metrics.hpp"
#include "gateway/observe/stats_recorder.hpp"
#include "gateway/observe/stats_totals.hpp"

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;

constexpr http::Reason deadline{"deadline", 504, "The request took longer than this route allows."};

// A segment as a worker maps it: zero pages, never constructed.
class Segment {
 public:
  Segment()
      : memory_(::mmap(nullptr, sizeof(StatsSegment), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                       0)) {}
  ~Segment() { ::munmap(memory_, sizeof(StatsSegment)); }
  StatsSegment& operator*() { return *static_cast<StatsSegment*>(memory_); }
  StatsSegment* operator->() { return &**this; }

 private:
  void* memory_;
};

struct Worker {
  explicit Worker(Segment& segment, AccessLogWriter::Requests requests = AccessLogWriter::Requests::none)
      : log(loop, UniqueFd(::memfd_create("log", MFD_CLOEXEC)), requests, segment->worker),
        recorder(*segment, log) {}
  EventLoop loop{1};
  AccessLogWriter log;
  StatsRecorder recorder;
};

RequestRecord request(std::uint32_t slot, const http::Reason* reason = nullptr) {
  return {.slot = slot,
          .route_name = "/a",
          .status = reason == nullptr ? 200 : reason->status,
          .reason = reason,
          .request_id = "id",
          .method = "GET",
          .target = "/a",
          .received = std::chrono::steady_clock::now(),
          .queued = 2us,
          .handled = 100us,
          .total = 150us,
          .request_bytes = 10,
          .response_bytes = 20};
}

const std::vector<NamedSlot> two_routes{{"/a", 1}, {"/b", 2}};
using Key = std::pair<int, std::string>;

TEST(Stats, counts_what_a_request_came_to) {
  Segment segment;
  Worker worker(segment);
  worker.recorder.ended(request(1));
  worker.recorder.ended(request(1));
  worker.recorder.ended(request(1, &deadline));
  const StatsSegment* living[] = {&*segment};
  GatewayTotals totals = StatsTotals().sum(living, two_routes);
  const RouteTotals& route = totals.routes.at("/a");
  EXPECT_EQ(route.requests.at(Key(200, "ok")), 2u);
  EXPECT_EQ(route.requests.at(Key(504, "deadline")), 1u);
  EXPECT_EQ(route.request_bytes, 30u);
  EXPECT_EQ(route.response_bytes, 60u);
  EXPECT_EQ(route.queue.sum, 6'000u);
  EXPECT_EQ(route.handler.sum, 300'000u);
  EXPECT_EQ(route.total.count(), 3u);
  EXPECT_EQ(route.guest_run.count(), 0u);
  EXPECT_EQ(totals.routes.at("/b").total.count(), 0u);
}

TEST(Stats, counts_guests_and_upstreams_where_there_were_some) {
  Segment segment;
  Worker worker(segment);
  const sandbox::Costs costs{.instantiate = 1us, .run = 3us, .teardown = 500ns, .cpu = 2us, .hot_pages = 9};
  RequestRecord guest = request(1);
  guest.guest = &costs;
  worker.recorder.ended(guest);
  RequestRecord proxied = request(2, &deadline);
  proxied.upstream = {.status = 200, .connects = 1, .reuses = 1, .retries = 1};
  worker.recorder.ended(proxied);
  const StatsSegment* living[] = {&*segment};
  GatewayTotals totals = StatsTotals().sum(living, two_routes);
  EXPECT_EQ(totals.routes.at("/a").guest_instantiate.sum, 1'000u);
  EXPECT_EQ(totals.routes.at("/a").guest_run.sum, 3'000u);
  EXPECT_EQ(totals.routes.at("/a").guest_teardown.sum, 500u);
  EXPECT_EQ(totals.routes.at("/a").guest_cpu_ns, 2'000u);
  EXPECT_EQ(totals.routes.at("/a").guest_hot_pages.sum, 9u);
  EXPECT_EQ(totals.routes.at("/b").upstream_connects, 1u);
  EXPECT_EQ(totals.routes.at("/b").upstream_reuses, 1u);
  EXPECT_EQ(totals.routes.at("/b").upstream_retries, 1u);
  EXPECT_EQ(totals.routes.at("/b").upstream_failures, 1u);
}

TEST(Stats, counts_requests_that_no_route_took) {
  constexpr http::Reason malformed{"malformed", 400, "The request is not valid HTTP."};
  constexpr http::Reason not_found{"not_found", 404, "No route matches this path."};
  Segment segment;
  Worker worker(segment);
  worker.recorder.refused(malformed, "127.0.0.1");
  worker.recorder.ended(request(RequestRecord::no_route, &not_found));
  const StatsSegment* living[] = {&*segment};
  const GatewayTotals totals = StatsTotals().sum(living, two_routes);
  EXPECT_EQ(totals.routes.at("").requests.at(Key(400, "malformed")), 1u);
  EXPECT_EQ(totals.routes.at("").requests.at(Key(404, "not_found")), 1u);
}

TEST(Stats, sums_over_workers_and_goes_on_when_one_is_replaced) {
  Segment first;
  Segment second;
  Worker(first).recorder.ended(request(1));
  Worker(second).recorder.ended(request(1));
  Worker(second).recorder.ended(request(1));  // the next worker in the same segment
  StatsTotals totals;
  const StatsSegment* both[] = {&*first, &*second};
  EXPECT_EQ(totals.sum(both, two_routes).routes.at("/a").total.count(), 3u);
  totals.retain_segment(*first, two_routes);
  const StatsSegment* one[] = {&*second};
  EXPECT_EQ(totals.sum(one, two_routes).routes.at("/a").total.count(), 3u);
  EXPECT_EQ(totals.sum({}, two_routes).routes.at("/a").requests.at(Key(200, "ok")), 1u);
}

TEST(Stats, keeps_the_counts_of_a_route_whose_slot_another_gets) {
  Segment segment;
  Worker(segment).recorder.ended(request(1));
  StatsTotals totals;
  totals.retain_route({"/a", 1}, *segment);
  std::memset(static_cast<void*>(&segment->routes[1]), 0, sizeof(RouteRow));
  Worker(segment).recorder.ended(request(1));
  const StatsSegment* living[] = {&*segment};
  const std::vector<NamedSlot> renamed{{"/c", 1}};
  const GatewayTotals sum = totals.sum(living, renamed);
  EXPECT_EQ(sum.routes.at("/a").total.count(), 1u);
  EXPECT_EQ(sum.routes.at("/c").total.count(), 1u);
}

TEST(Stats, stays_bounded_over_reloads_that_never_repeat_a_name) {
  Segment segment;
  StatsTotals totals;
  for (std::size_t i = 0; i < StatsTotals::retained_names_max * 2; ++i) {
    totals.retain_route({"/" + std::to_string(i), 1}, *segment);
  }
  EXPECT_EQ(totals.sum({}, {}).routes.size(), StatsTotals::retained_names_max + 1);
}

TEST(Stats, knows_how_many_sandboxes_there_are_and_were) {
  Segment segment;
  Worker worker(segment);
  {
    const ActiveSandbox one(worker.recorder, 1);
    const ActiveSandbox two(worker.recorder, 1);
    EXPECT_EQ(segment->routes[1].sandboxes_active.get(), 2u);
  }
  EXPECT_EQ(segment->routes[1].sandboxes_active.get(), 0u);
  EXPECT_EQ(segment->routes[1].sandboxes_max.get(), 2u);
}

TEST(Stats, forgets_what_a_worker_that_died_had_open) {
  Segment segment;
  segment->worker.connections_accepted.add(5);
  segment->worker.connections_closed.add(2);
  Worker worker(segment);
  const StatsSegment* living[] = {&*segment};
  GatewayTotals totals = StatsTotals().sum(living, two_routes);
  EXPECT_EQ(totals.workers.connections_open, 0u);
  EXPECT_EQ(totals.workers.connections_accepted, 5u);
}

TEST(LoopDelayProbe, records_how_late_the_loop_is) {
  EventLoop loop{1};
  DurationHistogram delays;
  LoopDelayProbe probe(loop, delays);
  probe.start();
  std::this_thread::sleep_for(LoopDelayProbe::interval + 100ms);
  loop.run_one();
  EXPECT_GE(delays.totals().sum, 100'000'000u);
  probe.stop();
  loop.run();  // ends
}

// --- the page ---

MetricsSnapshot snapshot() {
  Segment segment;
  Worker worker(segment);
  worker.recorder.ended(request(1));
  worker.recorder.ended(request(1, &deadline));
  const sandbox::Costs costs{.instantiate = 1us, .run = 3us, .teardown = 500ns, .cpu = 2us, .hot_pages = 9};
  RequestRecord guest = request(2);
  guest.guest = &costs;
  guest.upstream.connects = 1;
  worker.recorder.ended(guest);
  const StatsSegment* living[] = {&*segment};
  const std::vector<NamedSlot> routes{{"/a", 1}, {"/b \"quoted\\\n\xc3\xa4 *.example.org GET", 2}};
  return {.totals = StatsTotals().sum(living, routes),
          .version = "0.1.0",
          .engine = "wasmtime 48.0.8",
          .workers = 1,
          .quarantined = {"/a"}};
}

std::map<std::string, double> parse_strictly(const std::string& page, const std::string& format) {
  const std::string path = testing::TempDir() + "tollgate_metrics." + std::to_string(::getpid());
  std::ofstream(path) << page;
  const std::string command = "/usr/bin/python3 " TOLLGATE_SOURCE_DIR "/tests/support/check_metrics.py " +
                              format + " < " + path + " > " + path + ".json";
  EXPECT_EQ(std::system(command.c_str()), 0) << page;
  std::stringstream json;
  json << std::ifstream(path + ".json").rdbuf();
  ::unlink(path.c_str());
  ::unlink((path + ".json").c_str());
  return nlohmann::json::parse(json.str()).get<std::map<std::string, double>>();
}

TEST(Metrics, are_accepted_by_a_strict_parser_of_either_format) {
  const MetricsSnapshot counted = snapshot();
  for (const auto& [format, name] :
       {std::pair(Exposition::prometheus, "prometheus"), std::pair(Exposition::openmetrics, "openmetrics")}) {
    const auto samples = parse_strictly(metrics_text(counted, format), name);
    EXPECT_EQ(samples.at("tollgate_build_info{engine=wasmtime 48.0.8,version=0.1.0}"), 1);
    EXPECT_EQ(samples.at("tollgate_requests_total{outcome=ok,route=/a,status=200}"), 1);
    EXPECT_EQ(samples.at("tollgate_requests_total{outcome=deadline,route=/a,status=504}"), 1);
    EXPECT_EQ(samples.at("tollgate_request_seconds_count{route=/a}"), 2);
    EXPECT_DOUBLE_EQ(samples.at("tollgate_request_seconds_sum{route=/a}"), 300e-6);
    EXPECT_EQ(samples.at("tollgate_request_seconds_bucket{le=0.000131072,route=/a}"), 0);
    EXPECT_EQ(samples.at("tollgate_request_seconds_bucket{le=0.000262144,route=/a}"), 2);
    EXPECT_EQ(samples.at("tollgate_guest_hot_pages_sum{route=/b \"quoted\\\n\xc3\xa4 *.example.org GET}"), 9);
    EXPECT_EQ(samples.at("tollgate_route_quarantined{route=/a}"), 1);
    EXPECT_EQ(samples.count("tollgate_guest_run_seconds_count{route=/a}"), 0u) << "a route without guests";
  }
}

TEST(Metrics, keep_their_names) {
  const std::string page = metrics_text(snapshot(), Exposition::prometheus);
  for (const char* name :
       {"tollgate_requests_total", "tollgate_request_queue_seconds", "tollgate_request_handler_seconds",
        "tollgate_request_seconds", "tollgate_connections_accepted_total", "tollgate_connections_open",
        "tollgate_worker_restarts_total", "tollgate_log_lines_dropped_total",
        "tollgate_guest_instantiate_seconds", "tollgate_guest_run_seconds", "tollgate_guest_teardown_seconds",
        "tollgate_sandboxes_active", "tollgate_sandboxes_max", "tollgate_guest_hot_pages",
        "tollgate_build_info"}) {
    EXPECT_NE(page.find("# TYPE " + std::string(name) + " "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace tollgate::gateway
