// What the benchmark computes must be right before what it measures means anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/closed_loop_client.hpp"
#include "bench/figures.hpp"
#include "bench/google_benchmark.hpp"
#include "bench/http_client.hpp"
#include "bench/open_loop_client.hpp"
#include "bench/placement.hpp"
#include "bench/process_tree.hpp"
#include "bench/report.hpp"
#include "bench/sha256_chain.hpp"
#include "bench/sha256_scalar.hpp"
#include "bench/statistics.hpp"

namespace tollgate::bench {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Statistics, interpolates_between_ranks) {
  EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 3, 4, 5}, 0.99), 4.96);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.5), 7);
  const Spread all = spread({2, 9, 4});
  EXPECT_THAT((std::vector{all.median, all.lowest, all.highest}), ElementsAre(4, 2, 9));
}

TEST(Placement, gives_the_server_a_core_that_no_client_uses) {
  const Placement four = Placement::of({0, 1, 2, 3});
  EXPECT_THAT(four.server, ElementsAre(3));
  EXPECT_THAT(four.client, ElementsAre(0, 1, 2));
  EXPECT_THAT(four.upstream, ElementsAre(2));
  EXPECT_THAT(four.client_beside_upstream, ElementsAre(0, 1));
}

TEST(Placement, makes_do_with_few_cores) {
  const Placement two = Placement::of({4, 7});
  EXPECT_THAT(two.server, ElementsAre(7));
  EXPECT_THAT(two.client, ElementsAre(4));
  EXPECT_THAT(two.client_beside_upstream, ElementsAre(4));
  EXPECT_THAT(Placement::of({0}).client, ElementsAre(0));
}

TEST(HttpClient, sees_when_a_response_is_complete) {
  const std::string response = "HTTP/1.1 200 OK\r\nServer: x\r\nCONTENT-LENGTH: 5\r\n\r\nhello";
  EXPECT_EQ(complete_response(response), response.size());
  EXPECT_EQ(complete_response(response + "HTTP/1.1"), response.size());
  for (std::size_t cut = 0; cut < response.size(); ++cut)
    EXPECT_EQ(complete_response(response.substr(0, cut)), 0u);
}

TEST(Sha256, computes_the_standard_digest_and_the_chain_of_it) {
  const std::uint8_t abc[] = {'a', 'b', 'c'};
  const auto digest = sha256_of_one_block(abc, sizeof abc);
  EXPECT_THAT((std::vector<int>(digest.begin(), digest.begin() + 4)), ElementsAre(0xba, 0x78, 0x16, 0xbf));
  EXPECT_EQ(sha256_chain_hex(0), std::string(64, '0'));
  // SHA-256 of 40 zero bytes.
  EXPECT_EQ(sha256_chain_hex(1).substr(0, 16), "2c34ce1df23b838c");
}

TEST(Sha256, is_the_same_in_every_yardstick) {
  for (const ScalarChain& chain : scalar_chains()) {
    EXPECT_EQ(chain_hex(chain, 3), sha256_chain_hex(3)) << chain.compiler;
  }
}

TEST(GoogleBenchmark, report_is_read_by_name_without_its_aggregates) {
  const BenchmarkTimes times = read_benchmark_times(R"({"benchmarks": [
      {"name": "a/x:1", "run_name": "a/x:1", "run_type": "iteration", "real_time": 3, "cpu_time": 2, "time_unit": "us"},
      {"name": "a/x:1", "run_name": "a/x:1", "run_type": "iteration", "real_time": 5, "cpu_time": 4, "time_unit": "us"},
      {"name": "a/x:1_mean", "run_name": "a/x:1", "run_type": "aggregate", "real_time": 4, "cpu_time": 3, "time_unit": "us"}
    ]})");
  EXPECT_THAT(times.at("a/x:1").cpu_ns, ElementsAre(2000, 4000));
  EXPECT_THAT(times.at("a/x:1").wall_ns, ElementsAre(3000, 5000));
  EXPECT_THROW(read_benchmark_times("Failed to match any benchmarks"), std::runtime_error);
}

TEST(GoogleBenchmark, one_that_could_not_be_run_is_told_in_its_words) {
  try {
    read_benchmark_times(R"({"benchmarks": [{"name": "a", "run_name": "a", "run_type": "iteration",
        "error_occurred": true, "error_message": "guests/build has not been run"}]})");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "a: guests/build has not been run");
  }
}

// A child that uses CPU time in a grandchild, which it has waited for.
TEST(ProcessTree, counts_what_children_used_that_are_gone) {
  int ready[2] = {-1, -1};
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      while (std::clock() < CLOCKS_PER_SEC / 20) {  // of its own CPU time, however busy the machine is
      }
      ::_exit(0);
    }
    ::waitpid(grandchild, nullptr, 0);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  EXPECT_EQ(tree_of(child).front(), child);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_GE(cpu_nanoseconds(child), 40'000'000);
  EXPECT_GT(memory_of_tree(child).pss_bytes, 0u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

// Answers on one connection at a time; after the first request it stalls.
class StallingServer {
 public:
  explicit StallingServer(std::chrono::milliseconds stall) : port_(free_port()) {
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_.get(), 64), 0);
    thread_ = std::thread([this, stall] { serve(stall); });
  }
  ~StallingServer() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }

 private:
  void serve(std::chrono::milliseconds stall) {
    constexpr char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    bool stalled = false;
    for (;;) {
      const UniqueFd peer(::accept(socket_.get(), nullptr, nullptr));
      if (!peer) return;
      char request[1024];
      if (::recv(peer.get(), request, sizeof request, 0) <= 0) continue;
      if (!stalled) std::this_thread::sleep_for(stall);
      stalled = true;
      ::send(peer.get(), answer, sizeof answer - 1, MSG_NOSIGNAL);
    }
  }

  std::uint16_t port_;
  UniqueFd socket_;
  std::thread thread_;
};

TEST(OpenLoop, charges_a_stall_to_every_request_it_delays) {
  StallingServer server(300ms);
  const OpenLoopResult result =
      run_open_loop(server.port(), {.requests_per_second = 100, .duration = 200ms, .settle = 5000ms});
  // Each connection answers once and closes, so later arrivals may find a closed one; none may be lost
  // silently.
  EXPECT_EQ(result.latencies_ms.size() + result.failed, 20u);
  ASSERT_GE(result.latencies_ms.size(), 10u);
  EXPECT_GE(result.latencies_ms[result.latencies_ms.size() / 2], 150) << "the stall was counted once only";
  EXPECT_GE(result.latencies_ms.back(), 290);
}

TEST(ClosedLoop, counts_what_was_answered_and_goes_on_in_the_next_slice) {
  StallingServer server(0ms);
  for (const Wait wait : {Wait::sleeping, Wait::spinning}) {
    ClosedLoopClient client(server.port(), {.connections = 1, .reuse = Load::Reuse::connection_per_request},
                            Placement::of_this_machine().all, wait);
    for (int slice = 0; slice < 2; ++slice) {
      const LoadResult result = client.run(20ms);
      EXPECT_GT(result.requests, 0u);
      EXPECT_LE(result.in_time, result.requests);
      EXPECT_EQ(result.errors, 0u);
      EXPECT_EQ(result.latencies_us.size(), result.requests);
    }
  }
}

TEST(ClosedLoop, counts_a_connection_that_the_server_closes_as_an_error) {
  StallingServer server(0ms);  // closes after one answer, unasked
  ClosedLoopClient client(server.port(), {.connections = 1}, Placement::of_this_machine().all,
                          Wait::sleeping);
  const LoadResult result = client.run(50ms);
  EXPECT_EQ(result.requests, 1u);
  EXPECT_EQ(result.errors, 1u);
}

TEST(ClosedLoop, says_that_nobody_listens) {
  ClosedLoopClient client(free_port(), {}, Placement::of_this_machine().all, Wait::spinning);
  EXPECT_THROW(client.run(10ms), std::runtime_error);
}

Results two_blocks() {
  return {{"native-hello", {{{cpu_per_request, 4.0}}, {{cpu_per_request, 6.0}}}},
          {"nginx-hello", {{{cpu_per_request, 5.0}}, {{cpu_per_request, 5.0}}}},
          {"memory-at-rest", {{{"pss_mb", 9.0}}, {}}}};
}

TEST(Figures, compare_within_a_block_and_take_the_median_over_blocks) {
  const auto ratio = figure_value(all_figures()[0], two_blocks());
  ASSERT_TRUE(ratio.has_value());
  EXPECT_DOUBLE_EQ(ratio->median, 1.0);
  EXPECT_DOUBLE_EQ(ratio->lowest, 0.8);
  EXPECT_DOUBLE_EQ(ratio->highest, 1.2);
}

TEST(Figures, leave_out_blocks_in_which_an_arm_failed) {
  Results results = two_blocks();
  results["nginx-hello"][1].clear();
  EXPECT_DOUBLE_EQ(figure_value(all_figures()[0], results)->median, 0.8);
  results.erase("nginx-hello");
  EXPECT_EQ(figure_value(all_figures()[0], results), std::nullopt);
}

Run example_run() {
  Run run{.seed = 7, .blocks = 2, .version = "tollgate 0", .machine = "a machine", .results = two_blocks()};
  for (auto& [arm, blocks] : run.results) {
    run.abouts[arm] = "about " + arm;
    if (arm == "memory-at-rest") continue;
    for (Measurement& block : blocks) {
      block.merge(Measurement{{cpu_per_request_best_tenth, 3.5},
                              {"requests_per_second", 1e5},
                              {"p50_us", 1},
                              {"p99_us", 2},
                              {"errors", 0},
                              {server_busy, arm == "nginx-hello" ? 0.5 : 1.0}});
    }
  }
  run.skipped["three-workers"] = "needs 4 cores";
  return run;
}

TEST(Report, tells_what_was_reached_and_what_not) {
  const std::string text = text_report(example_run());
  EXPECT_THAT(text, HasSubstr("must reached"));
  EXPECT_THAT(text, HasSubstr("MISSED"));
  EXPECT_THAT(text, HasSubstr("must reached; best tenth 1.000"));
  EXPECT_THAT(text, HasSubstr("50 % *"));
  EXPECT_THAT(text, HasSubstr("skipped three-workers: needs 4 cores"));
  EXPECT_THAT(text, Not(HasSubstr("SHA-256"))) << "nothing was measured of it";
}

TEST(Report, keeps_every_measurement_in_json) {
  const auto json = nlohmann::json::parse(json_report(example_run()));
  EXPECT_EQ(json["arms"]["native-hello"]["blocks"][1][cpu_per_request], 6.0);
  EXPECT_EQ(json["figures"][0]["median"], 1.0);
  EXPECT_EQ(json["figures"][0]["verdict"], "must reached");
  EXPECT_EQ(json["skipped"]["three-workers"], "needs 4 cores");
}

// Plumbing only: nothing here is timed.
TEST(Benchmark, runs_quickly_through_servers_and_report) {
  if (find_program("nginx").empty()) {
    GTEST_SKIP() << "nginx is not installed (./dev bench installs it)";
  }
  const Folder folder;
  const std::string json = folder.path("bench.json");
  const std::string command =
      std::string(TOLLGATE_BENCH_BINARY) +
      " --quick --arms native-hello,nginx-hello,native-hello-log,start-native,memory-at-rest"
      " --json " +
      json + " > " + folder.path("out") + " 2>&1";
  const int status = std::system(command.c_str());
  std::stringstream output;
  output << std::ifstream(folder.path("out")).rdbuf();
  ASSERT_EQ(status, 0) << output.str();
  EXPECT_THAT(output.str(), HasSubstr("native hello / nginx return 200"));
  const auto result = nlohmann::json::parse(std::ifstream(json));
  EXPECT_GT(result["arms"]["native-hello"]["blocks"][0][cpu_per_request], 0.0);
  EXPECT_EQ(result["arms"]["native-hello"]["blocks"][0]["errors"], 0);
  EXPECT_GT(result["arms"]["memory-at-rest"]["blocks"][0]["pss_mb"], 0.0);
}

}  // namespace
}  // namespace tollgate::bench
