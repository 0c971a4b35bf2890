// Starting: what is printed, what is refused, and how.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "base/unique_fd.hpp"
#include "tests/support/command_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

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

TEST(Serve, prints_each_route_with_a_curl_line_when_asked) {
  const auto gateway = GatewayProcess::with_config(one_route, {.arguments = {"--print-routes"}});
  EXPECT_TRUE(gateway.wait_for_log("curl http://127.0.0.1:" + std::to_string(gateway.port()) + "/hello"));
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
  const TempDir folder;
  const std::string file = folder.write("t.toml", one_route);
  const std::vector<std::vector<std::string>> wrong = {{"--listen", "nowhere"},
                                                       {"--listen", "127.0.0.1:99999"},
                                                       {"--listen", "localhost:80"},
                                                       {"--listen", ""},
                                                       {"--admin", "nowhere"},
                                                       {"--workers", "x"},
                                                       {"--workers", "-1"},
                                                       {"--workers", "1025"},
                                                       {"--workers", ""},
                                                       {"--nonsense", "anything"},
                                                       {"--abi", "cgi"}};
  for (const auto& option : wrong) {
    const Exit exit = run_tollgate({"serve", "--config", file, option[0], option[1]});
    EXPECT_EQ(exit.code, 2) << option[0] << option[1];
    EXPECT_NE(exit.err.find(option[0]), std::string::npos) << exit.err;
  }
  std::vector<std::string> many = {"serve", "--config", file};
  for (int i = 0; i < 65; ++i) many.insert(many.end(), {"--listen", "127.0.0.1:0"});
  EXPECT_EQ(run_tollgate(many).code, 2);
  EXPECT_EQ(run_tollgate({"serve", "handler.wasm", "--abi", "fcgi"}).code, 2);
  const Exit unknown = run_tollgate({"--nonsense"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("not expected: --nonsense"), std::string::npos) << unknown.err;
  const Exit nonsense = run_tollgate({"nonsense"});
  EXPECT_EQ(nonsense.code, 2);
  EXPECT_NE(nonsense.err.find("there is no command \"nonsense\""), std::string::npos) << nonsense.err;
  EXPECT_EQ(run_tollgate({}).code, 2);
}

TEST(Serve, takes_the_handler_behind_an_address_too) {
  const auto gateway = GatewayProcess::with_arguments(
      {.arguments = {"--listen", "127.0.0.1:0", guest("gateway_wasm_c"), "--abi", "stdio"}});
  EXPECT_EQ(request(gateway.port(), "POST", "/", "x").body, "wasm:x");
}

// What is opened first must not get the number of a stream that is not there: the log would be written into
// it.
TEST(Serve, works_without_standard_streams) {
  const TempDir folder;
  const std::string file = folder.write("t.toml", one_route);
  CommandProcess command(
      {"sh", "-c", std::string("exec ") + TOLLGATE_BINARY + " serve --config " + file + " <&- 2>&-"});
  ASSERT_TRUE(command.wait_for("listening on http://", std::chrono::seconds(10)));
  const std::string out = command.out();
  const auto port = static_cast<std::uint16_t>(std::stoi(out.substr(out.rfind(':') + 1)));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(port, "/hello").body, "hello");
  EXPECT_EQ(command.stop().code, 0);
}

TEST(Serve, a_reload_asked_for_while_it_starts_is_done_when_it_serves) {
  const TempDir folder;
  const std::string file = folder.path() / "t.toml";
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  CommandProcess command({TOLLGATE_BINARY, "serve", "--config", file});
  // Opening it waits for the gateway to read it; the gateway waits for the text.
  std::ofstream(file) << [&] {
    kill(command.pid(), SIGHUP);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::filesystem::remove(file);
    folder.write("t.toml", one_route);
    return one_route;
  }();
  EXPECT_TRUE(command.wait_for("listening on http://", std::chrono::seconds(10))) << command.err();
  EXPECT_TRUE(command.wait_for("reloaded 1 routes", std::chrono::seconds(10))) << command.err();
  EXPECT_EQ(command.stop().code, 0);
}

// The kernel keeps a signal from process 1 of a container unless that has asked for it.
TEST(Serve, as_process_1_it_is_ended_by_a_signal_while_it_starts) {
  const TempDir folder;
  const std::string file = folder.path() / "t.toml";
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  CommandProcess command({"unshare", "--user", "--map-root-user", "--pid", "--fork", TOLLGATE_BINARY, "serve",
                          "--config", file});
  UniqueFd unwritten;  // can be opened once the gateway has begun to read its configuration
  const bool reads = eventually([&] {
    unwritten = UniqueFd(::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    return static_cast<bool>(unwritten);
  });
  const std::string parent = std::to_string(command.pid());
  const std::string child = read_file("/proc/" + parent + "/task/" + parent + "/children");
  if (!reads || child.empty()) GTEST_SKIP() << "no process namespaces here";
  kill(std::stoi(child), SIGTERM);
  EXPECT_EQ(command.wait(std::chrono::seconds(5)).code, 128 + SIGTERM);
}

TEST(Serve, its_processes_have_names_by_which_the_supervisor_is_found) {
  const auto gateway = GatewayProcess::with_config(one_route);
  const auto name = [](pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/comm"); };
  EXPECT_EQ(name(gateway.pid()), "tollgate\n");
  for (const pid_t worker : gateway.worker_pids()) EXPECT_EQ(name(worker), "tollgate-worker\n");
}

TEST(Serve, a_bound_of_address_space_that_sandboxes_do_not_fit_in_is_told) {
  const TempDir folder;
  const std::string file = folder.write("t.toml", one_route);
  CommandProcess command(
      {"bash", "-c", std::string("ulimit -v 2000000; exec ") + TOLLGATE_BINARY + " serve --config " + file});
  EXPECT_TRUE(command.wait_for("address space is limited to 1953 MiB", std::chrono::seconds(10)))
      << command.err();
  EXPECT_TRUE(command.wait_for("listening on http://", std::chrono::seconds(10))) << command.err();
  EXPECT_EQ(command.stop().code, 0);
}

TEST(Serve, where_there_are_no_descriptors_to_start_with_it_says_so) {
  const TempDir folder;
  const std::string file = folder.write("t.toml", one_route);
  CommandProcess poor(
      {"sh", "-c", std::string("ulimit -n 8; exec ") + TOLLGATE_BINARY + " serve --config " + file});
  EXPECT_EQ(poor.wait(std::chrono::seconds(10)).code, 1);
  EXPECT_EQ(poor.err().find("tollgate: "), 0u) << poor.err();
  EXPECT_NE(poor.err().find("Too many open files"), std::string::npos) << poor.err();
}

TEST(Serve, output_that_is_lost_is_a_failure) {
  for (const char* command : {"--version", "doctor", "--help"}) {
    CommandProcess lost({"sh", "-c", std::string(TOLLGATE_BINARY) + " " + command + " >/dev/full"});
    EXPECT_EQ(lost.wait(std::chrono::seconds(20)).code, 1) << command;
    EXPECT_NE(lost.err().find("writing to stdout: No space left on device"), std::string::npos) << lost.err();
  }
}

TEST(Serve, help_has_examples_and_exit_codes) {
  const Exit exit = run_tollgate({"serve", "--help"});
  EXPECT_EQ(exit.code, 0);
  EXPECT_NE(exit.out.find("examples:"), std::string::npos);
  EXPECT_NE(exit.out.find("exit codes:"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::testing
