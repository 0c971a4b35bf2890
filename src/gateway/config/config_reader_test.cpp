#include "gateway/config/config_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/config_faults.hpp"

namespace tollgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using testing::hello_route;
using testing::route_of;
using testing::route_with;

using Variables = std::map<std::string, std::string>;

Environment environment_of(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

expected<Config, ConfigErrors> read(std::string_view toml, Variables variables = {}) {
  return read_config(toml, "/etc/tollgate/t.toml", environment_of(std::move(variables)),
                     NamedFiles::not_looked_at);
}

Config must_read(std::string_view toml, Variables variables = {}) {
  auto config = read(toml, std::move(variables));
  if (config) return *std::move(config);
  for (const ConfigError& error : config.error()) ADD_FAILURE() << error.message();
  return {};
}

std::vector<std::string> messages_of(std::string_view toml, Variables variables = {}) {
  std::vector<std::string> messages;
  const auto config = read(toml, std::move(variables));
  if (config) return messages;
  for (const ConfigError& error : config.error()) messages.push_back(error.message());
  return messages;
}

TEST(ConfigReader, the_smallest_file_gets_every_default) {
  const Config config = must_read(hello_route);
  EXPECT_THAT(config.listen, ElementsAre("127.0.0.1:8080"));
  EXPECT_EQ(config.admin, std::nullopt);
  EXPECT_EQ(config.kill_port, std::nullopt);
  EXPECT_EQ(config.workers, 0u);
  EXPECT_TRUE(config.cpu_affinity);
  EXPECT_EQ(config.access_log.target, AccessLog::Target::failures);
  ASSERT_EQ(config.routes.size(), 1u);
  const Route& route = config.routes.front();
  EXPECT_EQ(route.line, 1);
  EXPECT_EQ(route.limits.deadline, Milliseconds(5000));
  EXPECT_EQ(route.limits.cpu, Milliseconds(1000));
  EXPECT_EQ(route.limits.memory_bytes, 128u << 20);
  EXPECT_EQ(route.limits.body_bytes, 2u << 20);
  EXPECT_TRUE(route.methods.empty());
}

TEST(ConfigReader, reads_the_shape_the_documentation_shows) {
  const Config config = must_read(R"(
listen  = "${LISTEN:-127.0.0.1:8080}"
admin   = "127.0.0.1:9901"
workers = 0
[defaults.limits]
deadline = "5s"
cpu      = "1s"
memory   = "128MiB"
[[route]]
path   = "/hello"
native = "hello"
[[route]]
path = "/fn/*"
wasm = "fn.wasm"
abi  = "cgi"
env  = { MODE = "demo", REGION = "${REGION:-eu}" }
limits = { deadline = "500ms", body = "1MiB", output = "4MiB", concurrent = 256, queue = 1024 }
[[route]]
path      = "/*"
host      = "*.example.org"
upstream  = "http://127.0.0.1:18080/base"
transform = "gateway_logic.wasm"
headers   = { "X-Gateway-Variant" = "wasm-host" }
)",
                                  {{"REGION", "us"}});
  ASSERT_EQ(config.routes.size(), 3u);
  const auto& wasm = std::get<WasmBackend>(config.routes[1].backend);
  EXPECT_EQ(wasm.module, "/etc/tollgate/fn.wasm");
  EXPECT_EQ(wasm.env.at("REGION"), "us");
  EXPECT_EQ(config.routes[1].limits.deadline, Milliseconds(500));
  EXPECT_EQ(config.routes[1].limits.body_bytes, 1u << 20);
  const auto& upstream = std::get<UpstreamBackend>(config.routes[2].backend);
  EXPECT_EQ(upstream.host, "127.0.0.1");
  EXPECT_EQ(upstream.port, 18080);
  EXPECT_EQ(upstream.base_path, "/base");
  EXPECT_EQ(upstream.url, "http://127.0.0.1:18080/base");
  ASSERT_TRUE(config.routes[2].transform);
  const auto& transform = std::get<WasmBackend>(*config.routes[2].transform);
  EXPECT_EQ(transform.abi, Abi::stdio);
  EXPECT_EQ(transform.module, "/etc/tollgate/gateway_logic.wasm");
}

class Fault : public ::testing::TestWithParam<testing::ConfigFault> {};

TEST_P(Fault, is_reported_with_file_line_found_and_expected) {
  const auto messages = messages_of(GetParam().toml);
  ASSERT_EQ(messages.size(), 1u) << ::testing::PrintToString(messages);
  EXPECT_THAT(messages.front(), HasSubstr(GetParam().in_message));
  EXPECT_THAT(messages.front(), ::testing::StartsWith("/etc/tollgate/t.toml:"));
  EXPECT_THAT(messages.front(), HasSubstr(", expected "));
}

INSTANTIATE_TEST_SUITE_P(Config, Fault, ::testing::ValuesIn(testing::config_faults()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST(ConfigReader, all_faults_of_a_file_are_told_in_order_of_lines) {
  const auto messages = messages_of(R"(lisen = "x"
workers = -1
[[route]]
path = "x"
native = "helo"
[[route]]
path = "/ok"
upstream = "https://a.example"
limits = { deadline = "never", body = "1MB" }
)");
  ASSERT_EQ(messages.size(), 7u) << ::testing::PrintToString(messages);
  EXPECT_THAT(messages[0], HasSubstr("t.toml:1: lisen"));
  EXPECT_THAT(messages[1], HasSubstr("t.toml:2: workers"));
  EXPECT_THAT(messages[2], HasSubstr("t.toml:4: route[1].path"));
  EXPECT_THAT(messages[3], HasSubstr("t.toml:5: route[1].native"));
  EXPECT_THAT(messages[4], HasSubstr("t.toml:8: route[2].upstream"));
  EXPECT_THAT(messages[5], HasSubstr("t.toml:9: route[2].limits"));
  EXPECT_THAT(messages[6], HasSubstr("t.toml:9: route[2].limits"));
}

TEST(ConfigReader, names_each_known_key_once) {
  const auto messages = messages_of(route_with("colour = 1"));
  ASSERT_EQ(messages.size(), 1u);
  const std::string& message = messages.front();
  EXPECT_EQ(message.find(" args,"), message.rfind(" args,")) << message;
  EXPECT_NE(message.find(" args,"), std::string::npos) << message;
}

TEST(ConfigReader, port_0_may_be_asked_for_more_than_once) {
  must_read("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n" + hello_route);
}

TEST(ConfigReader, a_misspelt_backend_is_named_beside_the_missing_one) {
  const auto messages = messages_of(route_of("upsteam = \"http://a.example\""));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_THAT(messages[0], HasSubstr("found no backend"));
  EXPECT_THAT(messages[1], HasSubstr(R"(expected the key "upstream")"));
}

TEST(ConfigReader, routes_that_differ_in_host_or_method_are_no_duplicates) {
  const Config config = must_read(hello_route + route_with("host = \"a.example\"") +
                                  route_with("method = \"GET\"") + route_with("method = \"PUT\""));
  EXPECT_EQ(config.routes.size(), 4u);
}

TEST(ConfigReader, listens_on_several_addresses_in_canonical_form) {
  const Config config =
      must_read("listen = [\"127.0.0.1:80\", \"[0:0::1]:443\", \"0.0.0.0:0\"]\n" + hello_route);
  EXPECT_THAT(config.listen, ElementsAre("127.0.0.1:80", "[::1]:443", "0.0.0.0:0"));
}

TEST(ConfigReader, paths_take_the_form_in_which_requests_are_compared) {
  EXPECT_EQ(must_read("[[route]]\npath = \"/caf%c3%a9/%7Ea/*\"\nnative = \"hello\"\n").routes.front().path,
            "/caf%C3%A9/~a/*");
}

TEST(ConfigReader, an_empty_admin_address_is_none) {
  EXPECT_EQ(must_read("admin = \"${ADMIN:-}\"\n" + hello_route).admin, std::nullopt);
  EXPECT_EQ(must_read("admin = \"${ADMIN:-}\"\n" + hello_route, {{"ADMIN", "127.0.0.1:1"}}).admin,
            "127.0.0.1:1");
}

TEST(ConfigReader, numbers_may_come_from_the_environment) {
  EXPECT_EQ(must_read("workers = \"${N:-3}\"\n" + hello_route).workers, 3u);
  EXPECT_EQ(must_read("workers = \"${N:-3}\"\n" + hello_route, {{"N", "5"}}).workers, 5u);
}

TEST(ConfigReader, limits_of_a_route_stand_over_the_defaults) {
  const Config config =
      must_read("[defaults.limits]\ndeadline = \"7s\"\nbody = 10\n" + hello_route +
                "limits = { body = \"1KiB\", queue = 0, io = \"1m\", response = \"10MiB\" }\n");
  const Limits& limits = config.routes.front().limits;
  EXPECT_EQ(limits.deadline, Milliseconds(7000));
  EXPECT_EQ(limits.body_bytes, 1024u);
  EXPECT_EQ(limits.queue, 0u);
  EXPECT_EQ(limits.io, Milliseconds(60'000));
  EXPECT_EQ(limits.response_bytes, 10u << 20);
}

TEST(ConfigReader, upstream_urls_lose_the_last_slash_of_their_base_path) {
  const auto upstream_of = [](const std::string& url) {
    return std::get<UpstreamBackend>(
        must_read(route_of("upstream = \"" + url + "\"")).routes.front().backend);
  };
  EXPECT_EQ(upstream_of("http://a.example").base_path, "");
  EXPECT_EQ(upstream_of("http://a.example").port, 80);
  EXPECT_EQ(upstream_of("http://a.example/").base_path, "");
  EXPECT_EQ(upstream_of("HTTP://A.Example:81/b/c/").base_path, "/b/c");
  EXPECT_EQ(upstream_of("HTTP://A.Example:81/b/c/").host, "a.example");
  EXPECT_EQ(upstream_of("http://[::1]:8080/x").host, "::1");
  EXPECT_EQ(upstream_of("http://[::1]").port, 80);
}

TEST(ConfigReader, access_log_is_failures_off_stderr_or_a_file) {
  EXPECT_EQ(must_read("access_log = \"failures\"\n" + hello_route).access_log.target,
            AccessLog::Target::failures);
  EXPECT_EQ(must_read("access_log = \"stderr\"\n" + hello_route).access_log.target,
            AccessLog::Target::stderr_);
  EXPECT_EQ(must_read("access_log = \"off\"\n" + hello_route).access_log.target, AccessLog::Target::off);
  const AccessLog log = must_read("access_log = \"logs/a.jsonl\"\n" + hello_route).access_log;
  EXPECT_EQ(log.target, AccessLog::Target::file);
  EXPECT_EQ(log.path, "/etc/tollgate/logs/a.jsonl");
}

class ConfigFile : public ::testing::Test {
 public:
  ConfigFile()
      : folder_(std::filesystem::path(::testing::TempDir()) / ("config" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigFile() override { std::filesystem::remove_all(folder_); }

 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

TEST_F(ConfigFile, names_modules_and_directories_that_are_not_there) {
  const auto file =
      write("t.toml", route_of("wasm = \"gone.wasm\"\ndirs = [{ host = \"nodir\", guest = \"/d\" }]"));
  const auto config = read_config_file(file, process_environment());
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 2u);
  EXPECT_THAT(config.error()[0].message(), HasSubstr("gone.wasm"));
  EXPECT_THAT(config.error()[1].message(), HasSubstr("a directory that exists"));
}

TEST_F(ConfigFile, that_cannot_be_read_is_named) {
  const auto absent = read_config_file(folder_ / "absent.toml", process_environment());
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().front().message(), HasSubstr("No such file"));
  EXPECT_THAT(absent.error().front().message(), HasSubstr("absent.toml"));
  const auto directory = read_config_file(folder_, process_environment());
  ASSERT_FALSE(directory);
  const auto large =
      read_config_file(write("large.toml", std::string(config_bytes_max + 1, '#')), process_environment());
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().front().message(),
              HasSubstr("found a larger file, expected at most 4194304 bytes"));
  EXPECT_TRUE(
      read_config_file(write("fits.toml", hello_route + std::string(1000, '#')), process_environment()));
}

TEST_F(ConfigFile, a_handler_alone_gets_every_path) {
  const auto module = write("handler.wasm", "");
  CommandLine command_line;
  command_line.listen = {"127.0.0.1:0"};
  command_line.abi = Abi::stdio;
  command_line.workers = 2;
  const auto config = config_for_handler(module, command_line);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->routes.size(), 1u);
  EXPECT_EQ(config->routes.front().path, "/*");
  EXPECT_EQ(std::get<WasmBackend>(config->routes.front().backend).abi, Abi::stdio);
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:0"));
  EXPECT_EQ(config->workers, 2u);
  EXPECT_FALSE(config_for_handler(folder_ / "none.wasm", {}));
}

TEST(CommandLineOverConfig, wins) {
  CommandLine command_line;
  command_line.listen = {"127.0.0.1:1", "[::1]:2"};
  command_line.admin = "127.0.0.1:3";
  command_line.workers = 4;
  const Config config =
      with_command_line(must_read("listen = \"127.0.0.1:9\"\nworkers = 1\n" + hello_route), command_line);
  EXPECT_THAT(config.listen, ElementsAre("127.0.0.1:1", "[::1]:2"));
  EXPECT_EQ(config.admin, "127.0.0.1:3");
  EXPECT_EQ(config.workers, 4u);
  EXPECT_THAT(with_command_line(must_read(hello_route), {}).listen, ElementsAre("127.0.0.1:8080"));
}

}  // namespace
}  // namespace tollgate::gateway
