// Configuration as a user meets it: `tollgate check`, and what `serve` does with a file that is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/config_faults.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Check, tells_every_single_fault_with_file_line_found_and_expected) {
  const TempDir folder;
  for (const ConfigFault& fault : config_faults()) {
    const std::string file = folder.write("t.toml", fault.toml);
    const Exit exit = run_tollgate({"check", file});
    EXPECT_EQ(exit.code, 1) << fault.name;
    EXPECT_EQ(exit.out, "") << fault.name;
    EXPECT_THAT(exit.err, StartsWith(file + ":")) << fault.name;
    EXPECT_THAT(exit.err, HasSubstr(fault.in_message)) << fault.name;
    EXPECT_THAT(exit.err, HasSubstr(", expected ")) << fault.name;
  }
}

TEST(Check, tells_all_faults_of_a_file_at_once) {
  const TempDir folder;
  const std::string file =
      folder.write("t.toml", "workers = -1\n" + route_with("limits = { cpu = \"x\" }\nhost = \"*\""));
  const Exit exit = run_tollgate({"check", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr(file + ":1: workers: "));
  EXPECT_THAT(exit.err, HasSubstr(file + ":5: route[1].limits.cpu: "));
  EXPECT_THAT(exit.err, HasSubstr(file + ":6: route[1].host: "));
}

TEST(Check, counts_the_routes_of_a_good_file) {
  const TempDir folder;
  Exit exit = run_tollgate({"check", folder.write("one.toml", hello_route)});
  EXPECT_EQ(exit.code, 0);
  EXPECT_EQ(exit.out, "ok: 1 route\n");
  EXPECT_EQ(exit.err, "");
  exit = run_tollgate({"check", folder.write("two.toml", hello_route + route_with("host = \"a.example\""))});
  EXPECT_EQ(exit.out, "ok: 2 routes\n");
}

TEST(Check, tells_a_wrong_command_line_from_a_wrong_file) {
  EXPECT_EQ(run_tollgate({"check"}).code, 2);
  EXPECT_EQ(run_tollgate({"check", ""}).code, 2);
  EXPECT_EQ(run_tollgate({"check", "--no-such-option", "x"}).code, 2);
  const Exit absent = run_tollgate({"check", "/no/such/file.toml"});
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.err, HasSubstr("/no/such/file.toml"));
  EXPECT_THAT(absent.err, HasSubstr("No such file"));
  const Exit help = run_tollgate({"check", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("examples:"));
}

TEST(Check, names_modules_that_are_not_there) {
  const TempDir folder;
  const Exit exit = run_tollgate({"check", folder.write("t.toml", route_of("wasm = \"gone.wasm\""))});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr((folder.path() / "gone.wasm").string()));
}

TEST(Check, takes_every_example) {
  const std::filesystem::path examples = std::filesystem::path(TOLLGATE_SOURCE_DIR) / "examples";
  if (!std::filesystem::exists(std::filesystem::path(TOLLGATE_GUESTS_DIR) / "gateway_wasm_c.wasm"))
    GTEST_SKIP() << "the example guests are not built: guests/build";
  int checked = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(examples)) {
    if (entry.path().extension() != ".toml") continue;
    const Exit exit = run_tollgate({"check", entry.path().string()});
    EXPECT_EQ(exit.code, 0) << exit.err;
    ++checked;
  }
  EXPECT_GE(checked, 5);
}

TEST(Serve, does_not_start_with_a_faulty_configuration_and_says_why) {
  const TempDir folder;
  const std::string file =
      folder.write("t.toml", "listen = \"127.0.0.1:0\"\n" + route_with("hots = \"a\"\nabi = 1"));
  const Exit exit = run_tollgate({"serve", "--config", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_THAT(exit.err,
              HasSubstr(file + R"(:5: route[1].hots: found an unknown key, expected the key "host")"));
  EXPECT_THAT(exit.err, HasSubstr(file + ":6: route[1].abi: "));
}

TEST(Serve, names_a_variable_that_is_not_set) {
  const TempDir folder;
  const std::string file = folder.write("t.toml", "listen = \"${TOLLGATE_TEST_LISTEN}\"\n" + hello_route);
  const Exit exit = run_tollgate({"serve", "--config", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("${TOLLGATE_TEST_LISTEN}"));
  ServeOptions options;
  options.environment = {{"TOLLGATE_TEST_LISTEN", "127.0.0.1:0"}};
  const auto gateway =
      GatewayProcess::with_config("listen = \"${TOLLGATE_TEST_LISTEN}\"\n" + hello_route, options);
  EXPECT_EQ(get(gateway.port(), "/").body, "hello");
}

TEST(Serve, prefers_the_command_line_over_the_file) {
  ServeOptions options;
  options.arguments = {"--listen", "127.0.0.1:0", "--workers", "2"};
  const auto gateway =
      GatewayProcess::with_config("listen = \"127.0.0.1:1\"\nworkers = 1\n" + hello_route, options);
  EXPECT_EQ(get(gateway.port(), "/").body, "hello");
  EXPECT_EQ(gateway.worker_pids().size(), 2u);
}

TEST(Serve, refuses_a_bad_address_on_the_command_line) {
  const TempDir folder;
  const Exit exit =
      run_tollgate({"serve", "--config", folder.write("t.toml", hello_route), "--listen", "localhost:0"});
  EXPECT_EQ(exit.code, 2);
  EXPECT_THAT(exit.err, HasSubstr("--listen: found \"localhost:0\", expected a numeric address"));
}

}  // namespace
}  // namespace tollgate::testing
