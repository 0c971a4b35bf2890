#include "gateway/config/config_json.hpp"

#include <gtest/gtest.h>

#include "gateway/config/config_reader.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::string_view everything = R"(
listen = ["127.0.0.1:0", "[::1]:8443"]
admin = "127.0.0.1:9901"
kill_port = "127.0.0.1:8081"
workers = 3
cpu_affinity = false
user = "nobody"
drain = "3s"
connections = 17
access_log = "log.jsonl"
cache = "cache"
[defaults.limits]
deadline = "7s"
[[route]]
path = "/hello"
native = "hello"
method = "GET"
[[route]]
path = "/fn/*"
host = "*.example.org"
methods = ["POST", "GET"]
wasm = "fn.wasm"
abi = "stdio"
env = { A = "1", B = "zwei \u00fc" }
args = ["x", "--y=z"]
dirs = [{ host = "data", guest = "/data", write = true }]
limits = { deadline = "500ms", cpu = "20ms", memory = "2MiB", body = 3, output = "4KiB", response = 5, io = "6s", stderr = 7, concurrent = 8, queue = 9 }
[[route]]
path = "/*"
upstream = "http://[::1]:18080/base"
transform = "t.wasm"
headers = { "X-A" = "1", "X-B" = "2" }
[[route]]
path = "/gone"
respond = { status = 410, body = "gone\n" }
[[route]]
path = "/spawned"
spawn = ["/bin/sh", "-c", "cat"]
abi = "stdio"
env = { B = "b" }
[[route]]
path = "/command-line"
wasm = "fn.wasm"
runtime = "wasmedge"
mode = "interpreter"
[[route]]
path = "/filtered"
native = "hello"
transform = { spawn = ["/bin/sed", "s/^/wasm:/"] }
)";

TEST(ConfigJson, gives_back_every_value) {
  auto config = read_config(everything, "/etc/tollgate/t.toml", {}, NamedFiles::not_looked_at);
  ASSERT_TRUE(config) << config.error().front().message();
  config->routes[1].slot = 42;
  const std::string json = config_to_json(*config);
  const auto back = config_from_json(json);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(config_to_json(*back), json);
  ASSERT_EQ(back->routes.size(), 7u);
  const Route& route = back->routes[1];
  EXPECT_EQ(route.slot, 42u);
  EXPECT_EQ(route.name(), "/fn/* *.example.org GET POST");
  const auto& wasm = std::get<WasmBackend>(route.backend);
  EXPECT_EQ(wasm.module, "/etc/tollgate/fn.wasm");
  EXPECT_EQ(wasm.abi, Abi::stdio);
  EXPECT_EQ(wasm.env.at("B"), "zwei ü");
  EXPECT_EQ(wasm.args, (std::vector<std::string>{"x", "--y=z"}));
  ASSERT_EQ(wasm.dirs.size(), 1u);
  EXPECT_EQ(wasm.dirs[0].host, "/etc/tollgate/data");
  EXPECT_TRUE(wasm.dirs[0].write);
  EXPECT_EQ(route.limits.deadline, Milliseconds(500));
  EXPECT_EQ(route.limits.io, Milliseconds(6000));
  EXPECT_EQ(route.limits.memory_bytes, 2u << 20);
  EXPECT_EQ(route.limits.queue, 9u);
  EXPECT_EQ(back->routes[0].limits.deadline, Milliseconds(7000));
  EXPECT_EQ(std::get<UpstreamBackend>(back->routes[2].backend).base_path, "/base");
  ASSERT_TRUE(back->routes[2].transform);
  EXPECT_EQ(std::get<WasmBackend>(*back->routes[2].transform).abi, Abi::stdio);
  EXPECT_EQ(std::get<RespondBackend>(back->routes[3].backend).body, "gone\n");
  EXPECT_EQ(back->access_log.path, "/etc/tollgate/log.jsonl");
  EXPECT_EQ(back->listen, (std::vector<std::string>{"127.0.0.1:0", "[::1]:8443"}));
  EXPECT_EQ(back->admin, "127.0.0.1:9901");
  EXPECT_EQ(back->drain, Milliseconds(3000));
}

TEST(ConfigJson, gives_back_programs_that_are_spawned_and_the_engines_found_for_them) {
  auto config = read_config(everything, "/etc/tollgate/t.toml", {}, NamedFiles::not_looked_at);
  ASSERT_TRUE(config) << config.error().front().message();
  std::get<WasmBackend>(config->routes[5].backend).engine = {"/opt/wasmedge", "run"};
  const auto back = config_from_json(config_to_json(*config));
  ASSERT_TRUE(back) << back.error();
  const auto& spawned = std::get<SpawnBackend>(back->routes[4].backend);
  EXPECT_EQ(spawned.argv, (std::vector<std::string>{"/bin/sh", "-c", "cat"}));
  EXPECT_EQ(spawned.abi, Abi::stdio);
  EXPECT_EQ(spawned.env.at("B"), "b");
  const auto& command_line = std::get<WasmBackend>(back->routes[5].backend);
  EXPECT_EQ(command_line.runtime, Runtime::wasmedge);
  EXPECT_EQ(command_line.mode, EngineMode::interpreter);
  EXPECT_EQ(command_line.engine, (std::vector<std::string>{"/opt/wasmedge", "run"}));
  ASSERT_TRUE(back->routes[6].transform);
  EXPECT_EQ(std::get<SpawnBackend>(*back->routes[6].transform).argv.back(), "s/^/wasm:/");
}

TEST(ConfigJson, refuses_what_it_did_not_write) {
  EXPECT_FALSE(config_from_json(""));
  EXPECT_FALSE(config_from_json("{}"));
  EXPECT_FALSE(config_from_json("[1]"));
  auto config = read_config(everything, "/t.toml", {}, NamedFiles::not_looked_at);
  ASSERT_TRUE(config);
  std::string json = config_to_json(*config);
  json.replace(json.find("\"workers\":3"), 11, "\"workers\":\"\"");
  EXPECT_FALSE(config_from_json(json));
}

}  // namespace
}  // namespace tollgate::gateway
