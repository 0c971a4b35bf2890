// The shipped configurations answer what the systems they stand for answer: the gateway study's variants, the
// Kubernetes demo's echo server, the WASI test's server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

using ::testing::HasSubstr;

std::string example(const std::string& name) {
  return std::string(TOLLGATE_SOURCE_DIR) + "/examples/" + name;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

GatewayProcess serve_example(const std::string& name, std::map<std::string, std::string> environment) {
  ServeOptions options;
  options.arguments = {"--config", example(name), "--workers", "1"};
  options.environment = std::move(environment);
  return GatewayProcess::with_arguments(std::move(options));
}

// Stands for the study's http-echo, and shows what reached it: it knows /base/... only, and only its own
// name.
GatewayProcess upstream() {
  return GatewayProcess::with_config(
      "listen = \"127.0.0.1:0\"\nworkers = 1\n"
      "[[route]]\npath = \"/base/any/path\"\nhost = \"127.0.0.1\"\nrespond = { body = \"ok\" }\n"
      "[[route]]\npath = \"/base/missing\"\nrespond = { status = 404, body = \"gone\" }\n"
      "[[route]]\npath = \"/base/*\"\nnative = \"echo\"\n");
}

struct Variant {
  const char* file;
  const char* name;    // X-Gateway-Variant
  const char* prefix;  // of every transformed body
};

class Study : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    const bool needs_guest = *GetParam().prefix != '\0';
    if (needs_guest && !std::filesystem::exists(module()))
      GTEST_SKIP() << "the example guests are not built: guests/build";
  }
  static std::string module() { return std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_c.wasm"; }
  GatewayProcess serve(std::uint16_t upstream_port) const {
    return serve_example(std::string("gateway-study/") + GetParam().file,
                         {{"LISTEN", "127.0.0.1:0"},
                          {"UPSTREAM_URL", "http://127.0.0.1:" + std::to_string(upstream_port) + "/base"},
                          {"WASM_MODULE_PATH", module()}});
  }
  void expect(const Response& response, int status, const std::string& body,
              const std::string& workload) const {
    EXPECT_EQ(response.status, status) << workload;
    EXPECT_EQ(response.body, body) << workload;
    EXPECT_EQ(response.field("x-gateway-variant"), GetParam().name) << workload;
    EXPECT_EQ(response.field("x-gateway-workload"), workload);
  }
  std::string transformed(const std::string& body) const { return GetParam().prefix + body; }
};

TEST_P(Study, answers_its_native_workloads) {
  const auto behind = upstream();
  const auto gateway = serve(behind.port());
  const std::uint16_t port = gateway.port();
  expect(get(port, "/health"), 200, "OK", "health");
  expect(get(port, "/"), 200, transformed("hello"), "hello");
  expect(get(port, "/?x=1"), 200, transformed("hello"), "hello");
  const std::string one_round = "2c34ce1df23b838c5abf2a7f6437cca3d3067ed509ff25f11df6b11b582b51eb";
  expect(get(port, "/compute?iters=1"), 200, transformed(one_round), "compute");
  const std::string fifty_thousand = "ac7ae76edac186bf64af6d07dfc7e0cf3df742bba5470882b2c695a23924a887";
  expect(get(port, "/compute"), 200, transformed(fifty_thousand), "compute");
  expect(get(port, "/state"), 200, transformed("0"), "state");
  expect(get(port, "/state"), 200, transformed("1"), "state");
}

TEST_P(Study, passes_all_else_to_the_upstream_below_its_base_path) {
  const auto behind = upstream();
  const auto gateway = serve(behind.port());
  const std::uint16_t port = gateway.port();
  const std::string base = "http://127.0.0.1:" + std::to_string(behind.port()) + "/base";

  const Response found = get(port, "/any/path?q=1");
  expect(found, 200, transformed("ok"), "proxy");
  EXPECT_EQ(found.field("x-upstream-url"), base + "/any/path?q=1");
  EXPECT_EQ(found.field("x-upstream-status"), "200");
  const bool is_wasm = *GetParam().prefix != '\0';
  EXPECT_EQ(found.field("x-wasm-processed"), is_wasm ? std::optional<std::string>("1") : std::nullopt);

  const Response missing = get(port, "/missing");
  expect(missing, 404, transformed("gone"), "proxy");
  EXPECT_EQ(missing.field("x-upstream-status"), "404");

  expect(request(port, "POST", "/echo", "sent"), 200, transformed("echo: sent"), "proxy");
  expect(request(port, "POST", "/health", "sent"), 200, transformed("echo: sent"), "proxy");
  expect(request(port, "PUT", "/", "sent"), 200, transformed("echo: sent"), "proxy");
}

TEST_P(Study, holds_its_limits) {
  const auto behind = upstream();
  const auto gateway = serve(behind.port());
  const std::uint16_t port = gateway.port();
  EXPECT_EQ(request(port, "POST", "/echo", std::string(2u << 20, 'x')).status, 200);
  Connection large(port);
  large.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string((2u << 20) + 1) +
             "\r\n\r\n");
  EXPECT_EQ(large.read_response().status, 413);
  EXPECT_EQ(get(port, "/", {{"X-Large", std::string(60'000, 'x')}}).status, 200);
  EXPECT_EQ(get(port, "/", {{"X-Large", std::string(66'000, 'x')}}).status, 431);
}

TEST_P(Study, tells_an_upstream_that_is_not_there) {
  std::uint16_t closed = 0;
  {
    const auto behind = upstream();
    closed = behind.port();
  }
  const auto gateway = serve(closed);
  const Response response = get(gateway.port(), "/any/path");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.field("x-tollgate-error"), "upstream_connect");
  EXPECT_EQ(get(gateway.port(), "/health").body, "OK");
}

INSTANTIATE_TEST_SUITE_P(Variant, Study,
                         ::testing::Values(Variant{"native_local.toml", "native", ""},
                                           Variant{"wasm_host_wasmtime_embedded.toml", "wasm-host", "wasm:"}),
                         [](const auto& entry) { return replaced(entry.param.name, "-", "_"); });

TEST(StudyEnvironment, has_the_studys_defaults) {
  const std::string native = read_file(example("gateway-study/native_local.toml"));
  EXPECT_THAT(native, HasSubstr("listen = \"${LISTEN:-0.0.0.0:8080}\""));
  EXPECT_THAT(native, HasSubstr("\"${UPSTREAM_URL:-http://127.0.0.1:18080}\""));
  const std::string wasm = read_file(example("gateway-study/wasm_host_wasmtime_embedded.toml"));
  EXPECT_THAT(wasm, HasSubstr("\"${WASM_MODULE_PATH:-./gateway_logic.wasm}\""));
}

TEST(StudyEnvironment, refuses_a_module_that_is_not_there_and_a_runtime_it_is_not) {
  const std::string file = example("gateway-study/wasm_host_wasmtime_embedded.toml");
  Exit exit = run_tollgate({"serve", "--config", file}, {{"WASM_MODULE_PATH", "/no/such/module.wasm"}});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("/no/such/module.wasm"));
  exit = run_tollgate({"serve", "--config", file}, {{"WASM_RUNTIME", "wasmer"}});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(
      exit.err,
      HasSubstr(R"(runtime: found "wasmer", expected "wasmtime_embedded", "wasmtime" or "wasmedge")"));
}

TEST(KubernetesEcho, echoes_any_method_and_path_on_port) {
  const auto gateway = serve_example("k8s-echo.toml", {{"PORT", "0"}});
  EXPECT_EQ(request(gateway.port(), "POST", "/", "payload").body, "echo: payload");
  EXPECT_EQ(get(gateway.port(), "/any/path?x=y").body, "echo: ");
  EXPECT_EQ(request(gateway.port(), "DELETE", "/x", "y").body, "echo: y");
  EXPECT_EQ(request(gateway.port(), "OPTIONS", "/x").body, "echo: ");
  EXPECT_THAT(read_file(example("k8s-echo.toml")), HasSubstr("${BIND:-127.0.0.1}:${PORT:-1234}"));
}

TEST(WasiTest, stops_gracefully_at_the_first_connection_to_its_kill_port) {
  const std::string config = read_file(example("wasi-test.toml"));
  auto gateway = GatewayProcess::with_config(replaced(replaced(config, ":8080", ":0"), ":8081", ":0"));
  const Response farewell = get(gateway.kill_port(), "/");
  EXPECT_EQ(farewell.status, 200);
  EXPECT_EQ(farewell.body, "Shutting down");
  EXPECT_EQ(gateway.wait().code, 0);
}

TEST(WasiTest, answers_health_and_not_found) {
  const std::string config = read_file(example("wasi-test.toml"));
  EXPECT_THAT(config, HasSubstr("listen    = \"${BIND:-127.0.0.1}:8080\""));
  EXPECT_THAT(config, HasSubstr("kill_port = \"${BIND:-127.0.0.1}:8081\""));
  const auto gateway = GatewayProcess::with_config(replaced(replaced(config, ":8080", ":0"), ":8081", ":0"));
  EXPECT_EQ(get(gateway.port(), "/health").status, 200);
  const std::pair<const char*, const char*> not_found[] = {
      {"GET", "/"}, {"GET", "/health/"}, {"POST", "/health"}, {"PUT", "/other"}};
  for (const auto& [method, target] : not_found) {
    const Response response = request(gateway.port(), method, target);
    EXPECT_EQ(response.status, 404) << method << target;
    EXPECT_EQ(response.body, "Not found");
  }
}

}  // namespace
}  // namespace tollgate::testing
