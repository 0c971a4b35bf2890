// A worker that dies costs at most its requests in flight; another serves soon.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/support/background_load.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/sanitizer.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string config(int workers) {
  return fmt::format(R"(
listen = "127.0.0.1:0"
workers = {}
[[route]]
path = "/hello"
native = "hello"
[[route]]
path = "/state"
native = "state"
)",
                     workers);
}

TEST(WorkerDeath, soon_another_serves) {
  const auto gateway = GatewayProcess::with_config(config(1));
  for (int i = 0; i < 3; ++i) {
    const auto workers = gateway.worker_pids();
    ASSERT_EQ(workers.size(), 1u);
    const auto killed = steady_clock::now();
    kill(workers.front(), SIGKILL);
    EXPECT_EQ(get(gateway.port(), "/hello").body, "hello");
    EXPECT_LT(steady_clock::now() - killed, milliseconds(1000) * sanitizer_slowdown);
    EXPECT_NE(gateway.worker_pids(), workers);
  }
}

TEST(WorkerDeath, under_load_costs_at_most_the_requests_in_flight) {
  constexpr unsigned clients = 8;
  const auto gateway = GatewayProcess::with_config(config(2));
  BackgroundLoad load(gateway.port(), "/hello", clients);
  ASSERT_TRUE(load.wait_for_answers(200));
  kill(gateway.worker_pids().front(), SIGKILL);
  ASSERT_TRUE(load.wait_for_answers(500));
  const auto counts = load.stop();
  EXPECT_LE(counts.lost + counts.closed_unanswered, clients);
  EXPECT_EQ(counts.refused, 0u);
  EXPECT_EQ(counts.answers.size(), 1u) << counts.answers.begin()->first;
}

// As some programs start others: what is ignored and what is blocked is inherited.
GatewayProcess started_with_sigchld_ignored_and_sigterm_blocked(const std::string& toml) {
  sigset_t term;
  sigset_t before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  std::signal(SIGCHLD, SIG_IGN);
  auto gateway = GatewayProcess::with_config(toml);
  std::signal(SIGCHLD, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return gateway;
}

TEST(WorkerDeath, is_noticed_whatever_signals_the_gateway_was_started_with) {
  auto gateway = started_with_sigchld_ignored_and_sigterm_blocked(config(1));
  kill(gateway.worker_pids().at(0), SIGKILL);
  ASSERT_TRUE(gateway.wait_for_log("ended by signal 9"));
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  gateway.signal(SIGTERM);
  EXPECT_EQ(gateway.wait().code, 0);
}

TEST(WorkerDeath, the_state_counter_goes_on) {
  const auto gateway = GatewayProcess::with_config(config(1));
  EXPECT_EQ(get(gateway.port(), "/state").body, "0");
  EXPECT_EQ(get(gateway.port(), "/state").body, "1");
  kill(gateway.worker_pids().front(), SIGKILL);
  EXPECT_EQ(get(gateway.port(), "/state").body, "2");
}

TEST(WorkerDeath, crashing_again_and_again_backs_off_and_recovers) {
  const auto gateway = GatewayProcess::with_config(config(1));
  for (int crash = 0; crash < 6; ++crash) {
    ASSERT_TRUE(eventually([&] { return !gateway.worker_pids().empty(); }));
    ASSERT_EQ(get(gateway.port(), "/hello").status, 200);
    kill(gateway.worker_pids().front(), SIGABRT);
  }
  EXPECT_TRUE(gateway.wait_for_log("crashes too often"));
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
}

TEST(WorkerDeath, a_route_that_ran_in_three_crashes_is_quarantined_until_a_reload) {
  const std::string guest = TOLLGATE_GUESTS_DIR "/spinner_c.wasm";
  if (!std::filesystem::exists(guest)) GTEST_SKIP() << "guests are not built: " << guest;
  const std::string toml = fmt::format(
      "{}[[route]]\npath = \"/spin\"\nwasm = \"{}\"\nlimits = {{ cpu = \"20s\", deadline = \"20s\" }}\n",
      config(1), guest);
  const auto gateway = GatewayProcess::with_config(toml);
  for (int crash = 0; crash < 3; ++crash) {
    ASSERT_TRUE(eventually([&] { return !gateway.worker_pids().empty(); }));
    Connection connection(gateway.port());
    connection.send("GET /spin?ms=20000 HTTP/1.1\r\nHost: test\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(300) * sanitizer_slowdown);
    const std::size_t from = gateway.err().size();
    kill(gateway.worker_pids().at(0), SIGABRT);
    ASSERT_TRUE(gateway.wait_for_log("crashed while it ran a guest of /spin", std::chrono::seconds(5), from));
  }
  const Response response = get(gateway.port(), "/spin");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.field("x-tollgate-error"), "quarantine");
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded"));
  EXPECT_EQ(get(gateway.port(), "/spin?ms=1").status, 200);
}

}  // namespace
}  // namespace tollgate::testing
