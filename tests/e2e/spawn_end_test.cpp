// Programs that run while what runs them ends; and what the gateway tells of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/metrics_page.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/spawned.hpp"

namespace tollgate::testing {
namespace {

using ::testing::HasSubstr;

// A program, its child, one that left its session and lost its parent, and one that has no environment
// besides.
std::string family(const std::string& mark) {
  return shell("/family", "(setsid sleep " + mark + " &); (env -i setsid sleep " + mark + " &); sleep " +
                              mark + " & sleep " + mark);
}
constexpr int family_size = 4;

class SpawnEnd : public ::testing::Test {
 protected:
  // A gateway with a family at work, asked for by `client_`.
  GatewayProcess serve(const std::string& mark) {
    auto gateway = GatewayProcess::with_config(one_worker + spawn_route("/cat", "\"cat\"") + family(mark));
    client_.emplace(gateway.port());
    client_->send("GET /family HTTP/1.1\r\nHost: a\r\n\r\n");
    // The shell itself has the mark among its arguments, too.
    EXPECT_TRUE(eventually([&] { return processes_with(mark) > family_size; }));
    return gateway;
  }

  std::optional<Connection> client_;
};

TEST_F(SpawnEnd, by_a_second_signal_at_once_leaves_nobody) {
  for (const int number : {SIGTERM, SIGINT}) {
    auto gateway = serve("7778.1");
    gateway.signal(number);
    ASSERT_TRUE(gateway.wait_for_log("draining"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // sooner, it would be the first one's echo
    gateway.signal(number);
    EXPECT_EQ(gateway.wait(std::chrono::seconds(5)).code, 1);
    EXPECT_EQ(processes_with("7778.1"), 0) << "when the gateway has ended";
  }
}

TEST_F(SpawnEnd, of_the_supervisor_by_sigkill_leaves_nobody) {
  auto gateway = serve("7778.2");
  gateway.signal(SIGKILL);
  EXPECT_TRUE(all_gone("7778.2"));
}

TEST_F(SpawnEnd, of_the_worker_leaves_nobody) {
  auto gateway = serve("7778.3");
  kill(gateway.worker_pids().at(0), SIGKILL);
  EXPECT_TRUE(all_gone("7778.3"));
}

TEST_F(SpawnEnd, of_the_spawner_by_sigkill_leaves_nobody_and_the_next_request_is_right) {
  auto gateway = serve("7778.4");
  const pid_t spawner = child_named(gateway.pid(), "spawner");
  ASSERT_GT(spawner, 0);
  kill(spawner, SIGKILL);
  EXPECT_EQ(client_->read_response().status, 502);
  EXPECT_TRUE(all_gone("7778.4"));
  EXPECT_TRUE(gateway.wait_for_log("starting another"));
  EXPECT_TRUE(soon_answers(gateway.port(), "/cat"));
  EXPECT_EQ(child_named(gateway.pid(), "sleep"), -1) << "reaped";
}

TEST_F(SpawnEnd, of_the_spawner_while_there_is_no_room_for_another_is_mended_when_there_is) {
  const auto gateway = GatewayProcess::with_config(one_worker + spawn_route("/cat", "\"cat\""));
  rlimit before{};
  ASSERT_EQ(prlimit(gateway.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none_left{3, before.rlim_max};
  ASSERT_EQ(prlimit(gateway.pid(), RLIMIT_NOFILE, &none_left, nullptr), 0);
  kill(child_named(gateway.pid(), "spawner"), SIGKILL);
  ASSERT_TRUE(gateway.wait_for_log("worker 0 has no spawner: socketpair: Too many open files"));
  ASSERT_EQ(prlimit(gateway.pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_TRUE(soon_answers(gateway.port(), "/cat"));
}

TEST(SpawnFigures, of_a_program_and_its_children_are_in_metrics_and_log) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + "admin = \"127.0.0.1:0\"\naccess_log = \"stderr\"\n" +
      shell("/busy", "sh -c \"i=0; while [ \\$i -lt 30000 ]; do i=\\$((i+1)); done\"; echo done"));
  ASSERT_EQ(get(gateway.port(), "/busy").body, "done\n");
  const std::string cpu = "tollgate_program_cpu_seconds_total{route=/busy}";
  const Metrics metrics = wait_for_metric(gateway.admin_port(), cpu, 0.005);
  EXPECT_GE(value_of(metrics, cpu), 0.005);
  EXPECT_GE(value_of(metrics, "tollgate_program_memory_peak_bytes{route=/busy}"), 100e3);
  EXPECT_EQ(value_of(metrics, "tollgate_program_run_seconds_count{route=/busy}"), 1);
  ASSERT_TRUE(gateway.wait_for_log("\"program_cpu_us\":"));
  const std::string log = gateway.err();
  const auto number_after = [&log](const std::string& name) {
    return std::atoll(log.c_str() + log.find(name) + name.size());
  };
  EXPECT_GE(number_after("\"program_cpu_us\":"), 5000);
  EXPECT_GE(number_after("\"program_memory_bytes_peak\":"), 100'000);
}

}  // namespace
}  // namespace tollgate::testing
