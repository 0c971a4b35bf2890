#include "gateway/config_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace tollgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

const std::string hello_route = "[[route]]\npath = \"/\"\nnative = \"hello\"\n";

TEST(ConfigReader, the_smallest_file_gets_every_default) {
  const Config config = must_read(hello_route);
  EXPECT_THAT(config.listen, ElementsAre("127.0.0.1:8080"));
  EXPECT_EQ(config.admin, std::nullopt);
  EXPECT_EQ(config.kill_port, std::nullopt);
  EXPECT_EQ(config.workers, 0u);
  EXPECT_EQ(config.access_log.target, AccessLog::Target::off);
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
  EXPECT_EQ(config.routes[2].transform->abi, Abi::stdio);
  EXPECT_EQ(config.routes[2].transform->module, "/etc/tollgate/gateway_logic.wasm");
}

struct Fault {
  const char* name;
  std::string toml;  // may begin with top-level keys; a route is added unless there is one
  std::string in_message;
};

class ConfigFault : public ::testing::TestWithParam<Fault> {};

TEST_P(ConfigFault, is_reported_with_file_line_found_and_expected) {
  std::string toml = GetParam().toml;
  if (toml.find("route") == std::string::npos) toml += "\n" + hello_route;
  const auto messages = messages_of(toml);
  ASSERT_EQ(messages.size(), 1u) << ::testing::PrintToString(messages);
  EXPECT_THAT(messages.front(), HasSubstr(GetParam().in_message));
  EXPECT_THAT(messages.front(), ::testing::StartsWith("/etc/tollgate/t.toml:"));
  EXPECT_THAT(messages.front(), HasSubstr(", expected "));
}

std::string route_with(const std::string& lines) {
  return hello_route + lines + "\n";
}
std::string route_of(const std::string& lines) {
  return "[[route]]\npath = \"/\"\n" + lines + "\n";
}

const Fault faults[] = {
    // Top level
    {"not_toml", "listen = ", "t.toml:1: found what is not TOML"},
    {"unknown_key", "lisen = \"x\"", R"(t.toml:1: lisen: found an unknown key, expected the key "listen")"},
    {"unknown_key_unlike_any", "colour = 1",
     "t.toml:1: colour: found an unknown key, expected one of listen, admin"},
    {"listen_without_port", "listen = \"127.0.0.1\"",
     R"(listen: found "127.0.0.1", expected a numeric address)"},
    {"listen_by_name", "listen = \"localhost:80\"", R"(found "localhost:80")"},
    {"listen_port_too_large", "listen = \"127.0.0.1:65536\"", R"(found "127.0.0.1:65536")"},
    {"listen_ipv6_without_brackets", "listen = \"::1:80\"", R"(found "::1:80")"},
    {"listen_zone", "listen = \"[fe80::1%eth0]:80\"", R"(found "[fe80::1%eth0]:80")"},
    {"listen_wrong_type", "listen = 8080",
     "listen: found the integer 8080, expected a string or an array of strings"},
    {"listen_empty_array", "listen = []", "listen: found no address, expected at least one"},
    {"listen_array_with_wrong_type", "listen = [\"127.0.0.1:1\", true]",
     "listen: found true, expected a string"},
    {"admin_bad", "admin = \"9901\"", R"(admin: found "9901")"},
    {"kill_port_bad", "kill_port = \":8081\"", R"(kill_port: found ":8081")"},
    {"workers_negative", "workers = -1", "workers: found the integer -1, expected an integer from 0 to 1024"},
    {"workers_text", "workers = \"many\"", R"(workers: found "many", expected an integer)"},
    {"workers_float", "workers = 1.5", "workers: found a floating-point number"},
    {"drain_without_unit", "drain = \"10\"", R"(drain: found "10", expected a duration)"},
    {"drain_number", "drain = 10", "drain: found the integer 10, expected a string"},
    {"drain_zero", "drain = \"0s\"", R"(drain: found "0s")"},
    {"connections_zero", "connections = 0", "connections: found the integer 0"},
    {"access_log_empty", "access_log = \"\"", R"(access_log: found "", expected "off", "stderr" or)"},
    {"variable_unset", "listen = \"${NOWHERE}\"",
     "listen: found ${NOWHERE}, which is not set in the environment, expected a set variable, or a default"},
    {"variable_unclosed", "listen = \"${NOWHERE\"", R"(found "${" without "}")"},
    {"variable_name_bad", "listen = \"${1X}\"", "found ${1X}, expected ${NAME}"},
    {"runtime_unknown", "runtime = \"wasmedge\"",
     R"(runtime: found "wasmedge", expected "wasmtime_embedded": guests run inside the worker)"},
    {"no_routes", "# no [[route]]", "route: found nothing, expected at least one [[route]]"},
    {"routes_not_tables", "route = 1", "route: found the integer 1, expected an array of tables"},
    {"defaults_unknown_key", "[defaults]\nlimit = {}",
     R"(t.toml:2: defaults.limit: found an unknown key, expected the key "limits")"},
    {"defaults_limits_unknown_key", "[defaults.limits]\ndedline = \"1s\"",
     R"(t.toml:2: defaults.limits.dedline: found an unknown key, expected the key "deadline")"},
    // Limits
    {"limit_duration", route_with("limits = { deadline = \"5x\" }"),
     R"(t.toml:4: route[1].limits.deadline: found "5x", expected a duration above 0)"},
    {"limit_duration_huge", route_with("limits = { cpu = \"25h\" }"), R"(limits.cpu: found "25h")"},
    {"limit_duration_overflow", route_with("limits = { cpu = \"99999999999999999h\" }"), "limits.cpu"},
    {"limit_size_decimal", route_with("limits = { body = \"1MB\" }"),
     R"(limits.body: found "1MB", expected a size)"},
    {"limit_size_negative", route_with("limits = { body = -1 }"), "limits.body: found the integer -1"},
    {"limit_size_fraction", route_with("limits = { body = \"1.5MiB\" }"), R"(limits.body: found "1.5MiB")"},
    {"limit_size_overflow", route_with("limits = { body = \"99999999999GiB\" }"), "limits.body"},
    {"limit_memory_small", route_with("limits = { memory = 1 }"),
     "limits.memory: found the integer 1, expected a size from 65536"},
    {"limit_memory_large", route_with("limits = { memory = \"5GiB\" }"), R"(limits.memory: found "5GiB")"},
    {"limit_output_large", route_with("limits = { output = \"2GiB\" }"), "limits.output"},
    {"limit_concurrent_zero", route_with("limits = { concurrent = 0 }"),
     "limits.concurrent: found the integer 0"},
    {"limit_queue_negative", route_with("limits = { queue = -1 }"), "limits.queue: found the integer -1"},
    {"limits_wrong_type", route_with("limits = 1"), "route[1].limits: found the integer 1, expected a table"},
    // Routes
    {"path_missing", "[[route]]\nnative = \"hello\"",
     "route[1].path: found nothing, expected a path such as"},
    {"path_relative", "[[route]]\npath = \"x\"\nnative = \"hello\"", R"(t.toml:2: route[1].path: found "x")"},
    {"path_star_inside", "[[route]]\npath = \"/a*b\"\nnative = \"hello\"", R"(found "/a*b")"},
    {"path_star_in_the_middle", "[[route]]\npath = \"/*/b\"\nnative = \"hello\"", R"(found "/*/b")"},
    {"path_dot_segment", "[[route]]\npath = \"/a/../b\"\nnative = \"hello\"", R"(found "/a/../b")"},
    {"path_empty_segment", "[[route]]\npath = \"/a//b\"\nnative = \"hello\"", R"(found "/a//b")"},
    {"path_query", "[[route]]\npath = \"/a?b\"\nnative = \"hello\"", R"(found "/a?b")"},
    {"path_blank", "[[route]]\npath = \"/a b\"\nnative = \"hello\"", R"(found "/a b")"},
    {"path_encoded_slash", "[[route]]\npath = \"/a%2Fb\"\nnative = \"hello\"", R"(found "/a%2Fb")"},
    {"path_bad_escape", "[[route]]\npath = \"/a%zz\"\nnative = \"hello\"", R"(found "/a%zz")"},
    {"path_encoded_dot", "[[route]]\npath = \"/%2E%2E/\"\nnative = \"hello\"", R"(found "/%2E%2E/")"},
    {"host_with_port", route_with("host = \"a.example:80\""), R"(route[1].host: found "a.example:80")"},
    {"host_wildcard_inside", route_with("host = \"a.*.example\""), "route[1].host"},
    {"host_bare_wildcard", route_with("host = \"*\""), "route[1].host"},
    {"host_empty", route_with("host = \"\""), "route[1].host"},
    {"host_bad_label", route_with("host = \"-a.example\""), "route[1].host"},
    {"method_lower_case", route_with("method = \"get\""),
     R"(route[1].method: found "get", expected an HTTP method)"},
    {"method_connect", route_with("method = \"CONNECT\""), "tunnels are not served"},
    {"methods_empty", route_with("methods = []"), "route[1].methods: found no method"},
    {"method_and_methods", route_with("method = \"GET\"\nmethods = [\"PUT\"]"),
     "found method and methods, expected only one"},
    {"route_unknown_key", route_with("hedaers = {}"),
     R"(route[1].hedaers: found an unknown key, expected the key "headers")"},
    {"route_misspelt_transform", route_with("trasnform = \"x.wasm\""),
     R"(trasnform: found an unknown key, expected the key "transform")"},
    {"no_backend", "[[route]]\npath = \"/\"",
     "route[1]: found no backend, expected exactly one of native, wasm, upstream, respond"},
    {"two_backends", route_with("respond = { body = \"x\" }"),
     "found native and respond, expected exactly one of"},
    {"native_unknown", route_of("native = \"helo\""),
     R"(route[1].native: found "helo", expected "hello", or one of compute, echo)"},
    {"native_empty", route_of("native = \"\""), R"(route[1].native: found "", expected one of)"},
    {"native_wrong_type", route_of("native = 1"), "route[1].native: found the integer 1, expected a string"},
    {"wasm_key_on_native", route_with("abi = \"cgi\""), "route[1].abi: found a key of wasm routes"},
    {"abi_unknown", route_of("wasm = \"x.wasm\"\nabi = \"fcgi\""),
     R"(route[1].abi: found "fcgi", expected "cgi" or "stdio")"},
    {"wasm_empty", route_of("wasm = \"\""),
     R"(route[1].wasm: found "", expected the path of a WebAssembly module)"},
    {"transform_empty", route_with("transform = \"\""), R"(route[1].transform: found "")"},
    {"env_wrong_type", route_of("wasm = \"x.wasm\"\nenv = { A = 1 }"),
     "route[1].env.A: found the integer 1, expected a string"},
    {"env_bad_name", route_of("wasm = \"x.wasm\"\nenv = { \"A=B\" = \"1\" }"),
     R"(route[1].env: found "A=B")"},
    {"args_wrong_type", route_of("wasm = \"x.wasm\"\nargs = [1]"), "route[1].args: found the integer 1"},
    {"dirs_without_host", route_of("wasm = \"x.wasm\"\ndirs = [{ guest = \"/\" }]"),
     R"(route[1].dirs[1].host: found "")"},
    {"dirs_relative_guest", route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"d\" }]"),
     R"(route[1].dirs[1].guest: found "d")"},
    {"dirs_write_wrong_type",
     route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"/d\", write = 1 }]"),
     "dirs[1].write: found the integer 1, expected true or false"},
    {"dirs_unknown_key",
     route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"/d\", wirte = true }]"),
     R"(dirs[1].wirte: found an unknown key, expected the key "write")"},
    {"upstream_https", route_of("upstream = \"https://a.example\""),
     R"(route[1].upstream: found "https://a.example", expected an http URL: upstreams over https are not supported)"},
    {"upstream_no_scheme", route_of("upstream = \"a.example:80\""), "route[1].upstream"},
    {"upstream_userinfo", route_of("upstream = \"http://u:p@a.example\""), "route[1].upstream"},
    {"upstream_query", route_of("upstream = \"http://a.example/x?y\""), "route[1].upstream"},
    {"upstream_bad_port", route_of("upstream = \"http://a.example:0\""), "route[1].upstream"},
    {"upstream_empty_port", route_of("upstream = \"http://a.example:\""), "route[1].upstream"},
    {"upstream_dot_segments", route_of("upstream = \"http://a.example/../x\""), "route[1].upstream"},
    {"upstream_wrong_type", route_of("upstream = true"), "route[1].upstream: found true, expected a string"},
    {"respond_status", route_of("respond = { status = 600 }"),
     "route[1].respond.status: found the integer 600, expected an integer from 200 to 599"},
    {"respond_interim_status", route_of("respond = { status = 101 }"), "route[1].respond.status"},
    {"respond_body_with_204", route_of("respond = { status = 204, body = \"x\" }"), "cannot carry one"},
    {"respond_unknown_key", route_of("respond = { bdy = \"x\" }"),
     R"(respond.bdy: found an unknown key, expected the key "body")"},
    {"respond_wrong_type", route_of("respond = \"x\""), R"(route[1].respond: found "x", expected a table)"},
    {"header_framing", route_with("headers = { \"Content-Length\" = \"5\" }"),
     R"(route[1].headers: found "Content-Length: 5", expected another field name: the gateway sets this one itself)"},
    {"header_connection", route_with("headers = { connection = \"close\" }"),
     "the gateway sets this one itself"},
    {"header_line_break", route_with("headers = { \"X-A\" = \"a\\r\\nSet-Cookie: b\" }"),
     "without line breaks"},
    {"header_nul", route_with("headers = { \"X-A\" = \"a\\u0000\" }"),
     "without line breaks and control characters"},
    {"header_bad_name", route_with("headers = { \"X A\" = \"a\" }"), "a field name of letters"},
    {"header_empty_name", route_with("headers = { \"\" = \"a\" }"), "a field name of letters"},
    {"header_blank_end", route_with("headers = { \"X-A\" = \" a\" }"), "without blanks at its ends"},
    {"header_wrong_type", route_with("headers = { \"X-A\" = 1 }"),
     "route[1].headers.X-A: found the integer 1, expected a string"},
    {"duplicate_route", hello_route + hello_route,
     R"(t.toml:4: route[2]: found the route "/" again, expected only one: line 1 has the same path, host and method)"},
    {"duplicate_method", route_with("methods = [\"GET\", \"PUT\"]") + route_with("method = \"PUT\""),
     "route[2]: found the route"},
};

INSTANTIATE_TEST_SUITE_P(Each, ConfigFault, ::testing::ValuesIn(faults),
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

TEST(ConfigReader, access_log_is_off_stderr_or_a_file) {
  EXPECT_EQ(must_read("access_log = \"stderr\"\n" + hello_route).access_log.target,
            AccessLog::Target::stderr_);
  EXPECT_EQ(must_read("access_log = \"off\"\n" + hello_route).access_log.target, AccessLog::Target::off);
  const AccessLog log = must_read("access_log = \"logs/a.jsonl\"\n" + hello_route).access_log;
  EXPECT_EQ(log.target, AccessLog::Target::file);
  EXPECT_EQ(log.path, "/etc/tollgate/logs/a.jsonl");
}

class ConfigFile : public ::testing::Test {
 protected:
  ConfigFile()
      : folder_(std::filesystem::path(::testing::TempDir()) / ("config" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigFile() override { std::filesystem::remove_all(folder_); }
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
  EXPECT_THAT(large.error().front().message(), HasSubstr("at most"));
  EXPECT_TRUE(
      read_config_file(write("fits.toml", hello_route + std::string(1000, '#')), process_environment()));
}

TEST_F(ConfigFile, a_handler_alone_gets_every_path) {
  const auto module = write("handler.wasm", "");
  CommandLine command_line;
  command_line.listen = {"127.0.0.1:0"};
  command_line.abi = "stdio";
  command_line.workers = 2;
  const auto config = config_for_handler(module, command_line);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->routes.size(), 1u);
  EXPECT_EQ(config->routes.front().path, "/*");
  EXPECT_EQ(std::get<WasmBackend>(config->routes.front().backend).abi, Abi::stdio);
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:0"));
  EXPECT_EQ(config->workers, 2u);
  EXPECT_FALSE(config_for_handler(folder_ / "none.wasm", {}));
  command_line.abi = "fcgi";
  EXPECT_FALSE(config_for_handler(module, command_line));
}

TEST(CommandLineOverConfig, wins_and_is_checked_too) {
  CommandLine command_line;
  command_line.listen = {"127.0.0.1:1", "[::1]:2"};
  command_line.admin = "127.0.0.1:3";
  const auto config = with_command_line(must_read("listen = \"127.0.0.1:9\"\n" + hello_route), command_line);
  ASSERT_TRUE(config);
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:1", "[::1]:2"));
  EXPECT_EQ(config->admin, "127.0.0.1:3");
  command_line.listen = {"nowhere"};
  command_line.workers = 5000;
  const auto refused = with_command_line(must_read(hello_route), command_line);
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().size(), 2u);
  EXPECT_THAT(refused.error().front().message(), HasSubstr(R"(command line: --listen: found "nowhere")"));
}

}  // namespace
}  // namespace tollgate::gateway
