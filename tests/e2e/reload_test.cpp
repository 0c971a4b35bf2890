// SIGHUP: all workers change over or none does, and no request is lost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/answer_table.hpp"
#include "tests/support/background_load.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sanitizer.hpp"

namespace tollgate::testing {
namespace {

void reload(const GatewayProcess& gateway, const std::string& toml, const std::string& expected_log) {
  const std::size_t from = gateway.err().size();
  gateway.rewrite_config(toml);
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log(expected_log, std::chrono::seconds(5), from)) << gateway.err();
}

TEST(Reload, changes_answers_adds_and_removes_routes_within_a_second) {
  const auto gateway = GatewayProcess::with_config(
      answer_table("old", 2, "[[route]]\npath = \"/gone\"\nnative = \"hello\"\n"));
  EXPECT_EQ(get(gateway.port(), "/answer").body, "old");
  EXPECT_EQ(get(gateway.port(), "/gone").status, 200);
  gateway.rewrite_config(answer_table("new", 2, "[[route]]\npath = \"/added\"\nnative = \"hello\"\n"));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 2 routes", std::chrono::seconds(1)));
  for (int i = 0; i < 8; ++i) {  // connections go to either worker
    EXPECT_EQ(get(gateway.port(), "/answer").body, "new");
    EXPECT_EQ(get(gateway.port(), "/gone").status, 404);
    EXPECT_EQ(get(gateway.port(), "/added").status, 200);
  }
}

TEST(Reload, keeps_the_workers_and_their_connections) {
  const auto gateway = GatewayProcess::with_config(answer_table("old"));
  const auto workers = gateway.worker_pids();
  Connection connection(gateway.port());
  const std::string request = "GET /answer HTTP/1.1\r\nHost: test\r\n\r\n";
  connection.send(request);
  EXPECT_EQ(connection.read_response().body, "old");
  reload(gateway, answer_table("new"), "reloaded");
  connection.send(request);
  EXPECT_EQ(connection.read_response().body, "new");
  EXPECT_EQ(gateway.worker_pids(), workers);
}

TEST(Reload, a_bad_configuration_changes_nothing_and_the_log_says_why) {
  const auto gateway = GatewayProcess::with_config(answer_table("old"));
  reload(gateway, answer_table("new", 2, "nonsense = 1\nfurther = 2\n"), "further");
  const std::string log = gateway.err();
  const std::size_t first = log.find("serves on: ");
  EXPECT_NE(log.find("serves on: ", first + 1), std::string::npos) << "one line for each error:\n" << log;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(get(gateway.port(), "/answer").body, "old");
  reload(gateway, answer_table("new"), "reloaded 1 routes");
  EXPECT_EQ(get(gateway.port(), "/answer").body, "new");
}

TEST(Reload, a_bad_module_changes_nothing_and_the_log_names_it) {
  const auto gateway = GatewayProcess::with_config(answer_table("old"));
  gateway.folder().write("broken.wasm", "not wasm at all");
  reload(gateway, answer_table("new", 2, "[[route]]\npath = \"/w\"\nwasm = \"broken.wasm\"\n"),
         "broken.wasm");
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(get(gateway.port(), "/answer").body, "old");
    EXPECT_EQ(get(gateway.port(), "/w").status, 404);
  }
}

TEST(Reload, loses_no_request_under_load) {
  const auto gateway = GatewayProcess::with_config(answer_table("0"));
  BackgroundLoad load(gateway.port(), "/answer", 8);
  ASSERT_TRUE(load.wait_for_answers(100));
  for (int i = 1; i <= 20; ++i) reload(gateway, answer_table(std::to_string(i)), "reloaded 1 routes");
  ASSERT_TRUE(load.wait_for_answers(100));
  const auto counts = load.stop();
  EXPECT_EQ(counts.lost, 0u);
  EXPECT_EQ(counts.closed_unanswered, 0u);  // the workers stay
  EXPECT_EQ(counts.refused, 0u);
  EXPECT_TRUE(counts.answers.count("200 0") && counts.answers.count("200 20"));
}

TEST(Reload, another_number_of_workers_replaces_them_and_loses_no_request) {
  const auto gateway = GatewayProcess::with_config(answer_table("one", 1));
  const auto before = gateway.worker_pids();
  BackgroundLoad load(gateway.port(), "/answer", 8);
  ASSERT_TRUE(load.wait_for_answers(100));
  reload(gateway, answer_table("three", 3), "reloaded 1 routes");
  ASSERT_TRUE(load.wait_for_answers(500));
  reload(gateway, answer_table("two", 2), "reloaded 1 routes");
  ASSERT_TRUE(load.wait_for_answers(500));
  const auto counts = load.stop();
  EXPECT_EQ(counts.lost, 0u);
  EXPECT_EQ(counts.refused, 0u);
  EXPECT_EQ(get(gateway.port(), "/answer").body, "two");
  EXPECT_TRUE(eventually([&] { return gateway.worker_pids().size() == 2; }));
  for (const pid_t pid : gateway.worker_pids()) EXPECT_NE(pid, before.front());
}

TEST(Reload, another_address_is_served_and_the_old_one_is_closed) {
  const auto gateway = GatewayProcess::with_config(answer_table("old"));
  const std::uint16_t port = free_port();
  reload(gateway,
         fmt::format(R"(
listen = "127.0.0.1:{}"
workers = 2
[[route]]
path = "/answer"
respond = {{ status = 200, body = "new" }}
)",
                     port),
         "reloaded 1 routes");
  EXPECT_EQ(get(port, "/answer").body, "new");
  EXPECT_TRUE(eventually([&] { return !is_listening(gateway.port()); }));
}

TEST(Reload, refused_by_a_worker_closes_the_addresses_that_were_opened_for_it_and_tells_of_none) {
  const auto gateway = GatewayProcess::with_config(answer_table("old"));
  const pid_t slow = gateway.worker_pids().front();
  ASSERT_EQ(kill(slow, SIGSTOP), 0);  // so that somebody asks the new address before it is refused
  const std::uint16_t port = free_port();
  gateway.rewrite_config(fmt::format("admin = \"127.0.0.1:{}\"\nkill_port = \"127.0.0.1:0\"\n", port) +
                         answer_table("new"));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return is_listening(port); }));
  Connection admin(port);
  const std::string request = "GET /livez HTTP/1.1\r\nHost: test\r\n\r\n";
  admin.send(request);
  EXPECT_EQ(admin.read_response().status, 200);
  ASSERT_EQ(kill(slow, SIGKILL), 0);
  ASSERT_TRUE(gateway.wait_for_log("reload refused")) << gateway.err();
  EXPECT_TRUE(admin.closed_by_peer());
  // A process that is being started may hold the socket until it executes.
  EXPECT_TRUE(eventually([&] { return !is_listening(port); }));
  EXPECT_EQ(gateway.err().find("kill port on"), std::string::npos) << gateway.err();

  reload(gateway, answer_table("newer"), "reloaded 1 routes");
  for (int i = 0; i < 8; ++i) EXPECT_EQ(get(gateway.port(), "/answer").body, "newer");
}

TEST(Reload, two_hundred_leave_descriptors_mappings_and_memory_as_five_did) {
  const auto gateway = GatewayProcess::with_config(answer_table("0", 1));
  const auto figures = [&gateway] {
    std::vector<ProcessFigures> all{figures_of(gateway.pid())};
    for (const pid_t worker : gateway.worker_pids()) all.push_back(figures_of(worker));
    return all;
  };
  for (int i = 0; i < 5; ++i) reload(gateway, answer_table(std::to_string(i), 1), "reloaded 1 routes");
  const auto after_5 = figures();
  for (int i = 5; i < 200; ++i) reload(gateway, answer_table(std::to_string(i), 1), "reloaded 1 routes");
  const auto after_200 = figures();
  EXPECT_EQ(get(gateway.port(), "/answer").body, "199");
  ASSERT_EQ(after_5.size(), after_200.size());
  for (std::size_t i = 0; i < after_5.size(); ++i) {
    EXPECT_EQ(after_200[i].descriptors, after_5[i].descriptors);
    EXPECT_LE(after_200[i].mappings,
              after_5[i].mappings + 2);  // the allocator may have split or grown its heap
    EXPECT_LE(after_200[i].memory_kib, after_5[i].memory_kib + 256 + sanitizer_quarantine_kib);
  }
}

}  // namespace
}  // namespace tollgate::testing
