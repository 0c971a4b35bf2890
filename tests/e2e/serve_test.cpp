// Starting: what is printed, what is refused, and how.
#include <gtest/gtest.h>

#include <regex>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

constexpr const char* one_route = R"(
listen = "127.0.0.1:0"
workers = 2
[[route]]
path = "/hello"
native = "hello"
)";

TEST(Serve, prints_one_line_with_the_real_port_and_nothing_else_ever) {
  auto gateway = GatewayProcess::with_config(one_route);
  EXPECT_EQ(get(gateway.port(), "/hello").status, 200);
  gateway.signal(SIGHUP);
  EXPECT_TRUE(gateway.wait_for_log("reloaded 1 routes"));
  gateway.signal(SIGTERM);
  const Exit exit = gateway.wait();
  EXPECT_EQ(exit.code, 0);
  EXPECT_TRUE(std::regex_match(exit.out, std::regex("listening on http://127\\.0\\.0\\.1:\\d+\n")))
      << exit.out;
}

TEST(Serve, prints_a_line_for_each_address) {
  const auto gateway = GatewayProcess::with_config(R"(
listen = ["127.0.0.1:0", "127.0.0.2:0"]
workers = 1
[[route]]
path = "/hello"
native = "hello"
)");
  const std::string out = gateway.out();
  EXPECT_TRUE(std::regex_match(
      out,
      std::regex("listening on http://127\\.0\\.0\\.1:\\d+\nlistening on http://127\\.0\\.0\\.2:\\d+\n")))
      << out;
}

TEST(Serve, the_command_line_wins_over_the_file) {
  const auto gateway = GatewayProcess::with_config(
      R"(
listen = "127.0.0.1:1"
workers = 7
[[route]]
path = "/hello"
native = "hello"
)",
      {.arguments = {"--listen", "127.0.0.1:0", "--workers", "3"}});
  EXPECT_EQ(gateway.worker_pids().size(), 3u);
  EXPECT_EQ(get(gateway.port(), "/hello").body, "hello");
}

TEST(Serve, prints_each_route_with_a_curl_line_when_asked) {
  const auto gateway = GatewayProcess::with_config(one_route, {.arguments = {"--print-routes"}});
  EXPECT_TRUE(gateway.wait_for_log("curl http://127.0.0.1:" + std::to_string(gateway.port()) + "/hello"));
}

TEST(Serve, a_wrong_configuration_fails_with_file_and_line) {
  const TempDir folder;
  const std::string file = folder.write("bad.toml", "listen = \"127.0.0.1:0\"\nnonsense = 1\n");
  const Exit exit = run_tollgate({"serve", "--config", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_NE(exit.err.find("bad.toml:2"), std::string::npos) << exit.err;
}

TEST(Serve, a_handler_that_is_not_there_fails_with_its_name) {
  const Exit exit = run_tollgate({"serve", "/no/such/handler.wasm", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_NE(exit.err.find("/no/such/handler.wasm"), std::string::npos) << exit.err;
}

TEST(Serve, a_handler_that_is_no_wasm_fails_with_its_name_and_the_reason) {
  const TempDir folder;
  const std::string file = folder.write("broken.wasm", "not wasm at all");
  const Exit exit = run_tollgate({"serve", file, "--listen", "127.0.0.1:0"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_NE(exit.err.find("broken.wasm: "), std::string::npos) << exit.err;
}

TEST(Serve, a_wrong_command_line_exits_with_2) {
  EXPECT_EQ(run_tollgate({"serve", "--nonsense"}).code, 2);
  EXPECT_EQ(run_tollgate({"nonsense"}).code, 2);
  EXPECT_EQ(run_tollgate({}).code, 2);
}

TEST(Serve, help_has_examples_and_exit_codes) {
  const Exit exit = run_tollgate({"serve", "--help"});
  EXPECT_EQ(exit.code, 0);
  EXPECT_NE(exit.out.find("examples:"), std::string::npos);
  EXPECT_NE(exit.out.find("exit codes:"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::testing
