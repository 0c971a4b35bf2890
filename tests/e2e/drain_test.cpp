// SIGTERM, SIGINT and the kill port: finish what runs, close what is idle, exit 0 in time; a second signal
// ends at once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/support/command_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string config(const std::string& more = {}, int workers = 2) {
  return fmt::format(R"(
listen = "127.0.0.1:0"
workers = {}
{}
[[route]]
path = "/hello"
native = "hello"
[[route]]
path = "/echo"
native = "echo"
)",
                     workers, more);
}

// A second signal that comes sooner is the first one's echo.
constexpr milliseconds longer_than_an_echo{50};
constexpr const char* hello = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n";

// Half of an upload that the gateway has begun to answer: the rest is "67890".
Connection half_an_upload(std::uint16_t port) {
  Connection connection(port);
  connection.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(connection.read_exactly(25), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("12345");
  return connection;
}

class DrainBySignal : public ::testing::TestWithParam<int> {};

TEST_P(DrainBySignal, finishes_what_runs_closes_what_is_idle_and_exits_0) {
  auto gateway = GatewayProcess::with_config(config());
  Connection idle(gateway.port());
  idle.send(hello);
  EXPECT_EQ(idle.read_response().status, 200);
  Connection running = half_an_upload(gateway.port());

  gateway.signal(GetParam());
  EXPECT_TRUE(idle.closed_by_peer());
  EXPECT_TRUE(eventually([&] { return !is_listening(gateway.port()); }));

  running.send("67890");
  const Response response = running.read_response();
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find("1234567890"), std::string::npos);
  EXPECT_TRUE(running.closed_by_peer());
  const auto finished = steady_clock::now();
  const Exit exit = gateway.wait();
  EXPECT_EQ(exit.code, 0);
  EXPECT_LT(steady_clock::now() - finished, milliseconds(1000));
}

INSTANTIATE_TEST_SUITE_P(Signals, DrainBySignal, ::testing::Values(SIGTERM, SIGINT),
                         [](const auto& test) { return test.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

// The signal comes at each step of it: while the new workers start, load, take over, and the old ones leave.
TEST(Drain, in_the_midst_of_a_reload_that_replaces_workers_ends_old_and_new) {
  constexpr std::chrono::microseconds step{125};
  for (std::chrono::microseconds after{0}; after < milliseconds(10); after += step) {
    auto gateway = GatewayProcess::with_config(config());
    gateway.rewrite_config(config({}, 3));
    gateway.signal(SIGHUP);
    std::this_thread::sleep_for(after);
    gateway.signal(SIGTERM);
    EXPECT_EQ(gateway.wait(std::chrono::seconds(5)).code, 0) << "SIGTERM after " << after.count() << " us";
  }
}

TEST(Drain, an_idle_gateway_ends_at_once) {
  auto gateway = GatewayProcess::with_config(config());
  const auto begin = steady_clock::now();
  gateway.signal(SIGTERM);
  EXPECT_EQ(gateway.wait().code, 0);
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1000));
}

TEST(Drain, what_takes_longer_than_its_limit_is_cut_and_the_exit_is_still_0) {
  auto gateway = GatewayProcess::with_config(config("drain = \"500ms\""));
  Connection running = half_an_upload(gateway.port());
  const auto begin = steady_clock::now();
  gateway.signal(SIGTERM);
  EXPECT_EQ(gateway.wait().code, 0);
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(450));
  EXPECT_LT(took, milliseconds(1500));
}

TEST(Drain, a_second_signal_ends_at_once_with_1) {
  auto gateway = GatewayProcess::with_config(config());
  Connection running = half_an_upload(gateway.port());
  const auto workers = gateway.worker_pids();
  gateway.signal(SIGTERM);
  ASSERT_TRUE(gateway.wait_for_log("draining"));
  std::this_thread::sleep_for(longer_than_an_echo);
  const auto begin = steady_clock::now();
  gateway.signal(SIGTERM);
  EXPECT_EQ(gateway.wait().code, 1);
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1000));
  for (const pid_t worker : workers) EXPECT_TRUE(has_ended(worker)) << "worker " << worker << " still runs";
}

TEST(Drain, a_signal_that_is_sent_twice_over_is_one) {
  const auto gateway_under_timeout = [](const std::string& file) {
    return std::vector<std::string>{"timeout", "1", TOLLGATE_BINARY, "serve", "--config", file};
  };
  const TempDir folder;
  CommandProcess command(gateway_under_timeout(folder.write("t.toml", config())));
  ASSERT_TRUE(command.wait_for("listening on http://", std::chrono::seconds(10)));
  EXPECT_EQ(command.wait(std::chrono::seconds(15)).code, 124)
      << "timeout's own, when it had to end something";
  EXPECT_NE(command.err().find("drained"), std::string::npos) << command.err();
  EXPECT_EQ(command.err().find("ending at once"), std::string::npos) << command.err();
}

TEST(Drain, workers_leave_signals_to_the_supervisor) {
  auto gateway = GatewayProcess::with_config(config());
  const auto workers = gateway.worker_pids();
  ASSERT_EQ(workers.size(), 2u);
  for (const pid_t worker : workers) {
    kill(worker, SIGTERM);
    kill(worker, SIGINT);
  }
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  EXPECT_EQ(gateway.worker_pids(), workers);
  EXPECT_EQ(gateway.err().find("ended by"), std::string::npos) << gateway.err();
}

TEST(Drain, workers_end_when_their_supervisor_is_killed) {
  auto gateway = GatewayProcess::with_config(config());
  const auto workers = gateway.worker_pids();
  ASSERT_EQ(workers.size(), 2u);
  gateway.signal(SIGKILL);
  EXPECT_EQ(gateway.wait().signal, SIGKILL);
  for (const pid_t worker : workers) {
    EXPECT_TRUE(eventually([&] { return has_ended(worker); }));
  }
}

TEST(KillPort, answers_its_first_connection_and_drains) {
  auto gateway = GatewayProcess::with_config(config("kill_port = \"127.0.0.1:0\""));
  Connection running = half_an_upload(gateway.port());

  const Response answer = get(gateway.kill_port(), "/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "Shutting down");
  running.send("67890");
  EXPECT_EQ(running.read_response().status, 200);
  EXPECT_EQ(gateway.wait().code, 0);
}

}  // namespace
}  // namespace tollgate::testing
