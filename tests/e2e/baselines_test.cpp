// The comparison servers answer what the systems they stand for answer (baselines/README.md).
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "tests/support/command_process.hpp"
#include "tests/support/engine_commands.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::seconds;

const std::string folder = std::string(TOLLGATE_SOURCE_DIR) + "/baselines/";

std::string loopback(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

bool starts(std::uint16_t port) {
  return eventually([&] { return is_listening(port); }, seconds(10));
}

std::string command_path(const std::string& name) {
  CommandProcess which({"sh", "-c", "command -v " + name});
  std::string path = which.wait(seconds(5)).out;
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

struct WasiServer {
  const char* name;
  std::vector<std::string> command;
  const char* health;  // body of GET /health
  const char* needs;   // to be built or run
};
void PrintTo(const WasiServer& server, std::ostream* out) {
  *out << server.name;
}

class WasiTestServer : public ::testing::TestWithParam<WasiServer> {
 protected:
  void SetUp() override {
    const WasiServer& server = GetParam();
    if (command_path(server.needs).empty()) GTEST_SKIP() << "no " << server.needs << " here";
    for (const std::string& word : server.command) {
      if (word.starts_with('/') && !std::filesystem::exists(word))
        GTEST_SKIP() << word << " is not built: ./dev baselines";
    }
    port_ = free_port();
    kill_port_ = free_port();
    server_ = std::make_unique<CommandProcess>(
        server.command, std::map<std::string, std::string>{{"LISTEN", loopback(port_)},
                                                           {"KILL_LISTEN", loopback(kill_port_)}});
    ASSERT_TRUE(starts(port_)) << server_->err();
  }
  std::uint16_t port_ = 0;
  std::uint16_t kill_port_ = 0;
  std::unique_ptr<CommandProcess> server_;
};

TEST_P(WasiTestServer, answers_health_and_not_found) {
  const Response health = get(port_, "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, GetParam().health);
  const std::pair<const char*, const char*> not_found[] = {
      {"GET", "/"}, {"GET", "/health/"}, {"POST", "/health"}, {"PUT", "/other"}};
  for (const auto& [method, target] : not_found) {
    const Response response = request(port_, method, target);
    EXPECT_EQ(response.status, 404) << method << target;
    EXPECT_EQ(response.body, "Not found") << method << target;
  }
}

TEST_P(WasiTestServer, stops_at_the_first_connection_to_its_kill_port) {
  const Response farewell = get(kill_port_, "/");
  EXPECT_EQ(farewell.status, 200);
  EXPECT_EQ(farewell.body, "Shutting down");
  EXPECT_EQ(server_->wait(seconds(10)).code, 0);
}

TEST_P(WasiTestServer, stops_gracefully_at_sigterm) {
  EXPECT_EQ(server_->stop(seconds(10)).code, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Baselines, WasiTestServer,
    ::testing::Values(WasiServer{"rust", {folder + "out/wasi-test-rust"}, "", "cargo"},
                      WasiServer{"go", {folder + "out/wasi-test-go"}, R"({"message":"Hello, World!"})", "go"},
                      WasiServer{
                          "node", {"node", folder + "node/server.mjs"}, R"({"hello":"world"})", "node"}),
    [](const auto& entry) { return std::string(entry.param.name); });

void expect_echo(std::uint16_t port) {
  EXPECT_EQ(request(port, "POST", "/", "payload").body, "echo: payload");
  EXPECT_EQ(get(port, "/any/path?x=y").body, "echo: ");
  const Response deleted = request(port, "DELETE", "/x", "y");
  EXPECT_EQ(deleted.status, 200);
  EXPECT_EQ(deleted.body, "echo: y");
}

TEST(KubernetesEchoServer, of_rust_echoes_any_method_and_path) {
  const std::string server = folder + "out/k8s-echo-rust";
  if (!std::filesystem::exists(server)) GTEST_SKIP() << server << " is not built: ./dev baselines";
  const std::uint16_t port = free_port();
  CommandProcess process({server}, {{"PORT", std::to_string(port)}});
  ASSERT_TRUE(starts(port)) << process.err();
  expect_echo(port);
  EXPECT_EQ(process.stop().code, 0);
}

TEST(KubernetesEchoServer, as_a_module_that_owns_its_socket_echoes_under_wasmedge) {
  const std::string module = folder + "out/wasmedge-echo.wasm";
  if (!std::filesystem::exists(module)) GTEST_SKIP() << module << " is not built: ./dev baselines";
  const std::string engine = installed_engine("wasmedge");
  if (engine.empty()) GTEST_SKIP() << "no wasmedge here: ./dev wasmedge";
  const std::uint16_t port = free_port();
  CommandProcess process({engine, "--env", "PORT=" + std::to_string(port), module});
  ASSERT_TRUE(starts(port)) << process.err();
  expect_echo(port);
}

}  // namespace
}  // namespace tollgate::testing
