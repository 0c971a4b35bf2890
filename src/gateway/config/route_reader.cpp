#include "gateway/config/route_reader.hpp"

#include <algorithm>

#include "gateway/config/program_path.hpp"
#include "http/method.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::uint64_t wasm_page_bytes = 64u << 10;
constexpr std::uint64_t wasm_memory_bytes_max = std::uint64_t{4} << 30;
constexpr std::uint64_t held_bytes_max = std::uint64_t{1} << 30;      // what one request may keep in memory
constexpr std::uint64_t streamed_bytes_max = std::uint64_t{1} << 40;  // what may only pass through
constexpr std::int64_t concurrent_max = 100'000;
constexpr std::int64_t queue_max = 1'000'000;

constexpr std::string_view backend_keys[] = {"native", "wasm", "upstream", "respond", "spawn"};
constexpr std::string_view wasm_keys[] = {"args", "dirs", "runtime", "mode"};
constexpr std::string_view handler_keys[] = {"abi", "env"};

std::string absolute(const std::filesystem::path& folder, const std::string& path) {
  return (folder / path).lexically_normal().string();
}

bool holds_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

void read_module(TableReader& table, std::string_view key, const RouteSurroundings& around,
                 std::string& module) {
  std::string path;
  const std::size_t faults = table.source().errors.size();
  table.string(key, path);
  if (!table.has(key) || table.source().errors.size() > faults) return;
  if (path.empty() || holds_nul(path)) {
    return table.fault(key, TableReader::quoted(path), "the path of a WebAssembly module");
  }
  module = absolute(around.folder, path);
  if (around.named_files == NamedFiles::not_looked_at) return;
  std::error_code failed;
  if (!std::filesystem::is_regular_file(module, failed)) {
    table.fault(key, TableReader::quoted(path), "a WebAssembly module, but there is no file " + module);
  }
}

std::optional<Abi> parse_abi(std::string_view text) {
  if (text == "cgi") return Abi::cgi;
  if (text == "stdio") return Abi::stdio;
  return std::nullopt;
}

void read_env(TableReader& table, std::map<std::string, std::string>& env) {
  for (auto& [name, value] : table.string_map("env")) {
    if (name.empty() || name.find('=') != std::string::npos || holds_nul(name) || holds_nul(value)) {
      table.fault("env", TableReader::quoted(name),
                  "variables whose name is not empty and has no \"=\", without NUL");
    } else if (name == spawn_run_variable) {
      table.fault("env", TableReader::quoted(name),
                  "another name: the gateway tells by this one whose a process is");
    } else {
      env.emplace(name, std::move(value));
    }
  }
}

void read_dirs(TableReader& table, const RouteSurroundings& around, WasmBackend& wasm) {
  int index = 0;
  for (const toml::table* entry : table.tables("dirs")) {
    TableReader reader(table.source(), *entry, table.label_of("dirs") + "[" + std::to_string(++index) + "]");
    DirectoryGrant grant;
    reader.string("host", grant.host);
    reader.string("guest", grant.guest);
    reader.boolean("write", grant.write);
    reader.refuse_unknown_keys();
    if (grant.host.empty() || holds_nul(grant.host)) {
      reader.fault("host", TableReader::quoted(grant.host), "the path of a directory");
      continue;
    }
    if (!grant.guest.starts_with('/') || holds_nul(grant.guest)) {
      reader.fault("guest", TableReader::quoted(grant.guest),
                   "an absolute path that the guest sees it under");
    }
    grant.host = absolute(around.folder, grant.host);
    std::error_code failed;
    if (around.named_files == NamedFiles::must_exist && !std::filesystem::is_directory(grant.host, failed)) {
      reader.fault("host", TableReader::quoted(grant.host), "a directory that exists");
    }
    wasm.dirs.push_back(std::move(grant));
  }
}

std::optional<EngineMode> parse_mode(std::string_view text) {
  if (text == "aot") return EngineMode::aot;
  if (text == "jit") return EngineMode::jit;
  if (text == "interpreter") return EngineMode::interpreter;
  return std::nullopt;
}

// `runtime` and `mode`, of a route's module or of the module it is transformed by.
void read_runtime(TableReader& table, const RouteSurroundings& around, WasmBackend& wasm) {
  wasm.runtime = around.runtime;
  table.parsed("runtime", wasm.runtime, parse_runtime, runtime_notation);
  table.parsed("mode", wasm.mode, parse_mode, R"("aot", "jit" or "interpreter")");
  if (wasm.mode == EngineMode::interpreter && wasm.runtime != Runtime::wasmedge) {
    table.fault("mode", "\"interpreter\"",
                "\"aot\" or \"jit\", or the runtime \"wasmedge\", which alone interprets");
  }
  if (wasm.runtime == Runtime::wasmtime_embedded && wasm.mode != EngineMode::aot) {
    table.fault("mode", "a mode",
                "\"aot\", or another runtime: inside the worker modules are compiled ahead of time");
  }
}

// What `name` means in `spawn`: a path as it is, or relative to the file; a bare name on PATH. Empty if
// nowhere.
std::string find_program(TableReader& table, const RouteSurroundings& around, const std::string& name) {
  if (name.find('/') != std::string::npos) return absolute(around.folder, name);
  const std::string path = table.source().environment("PATH").value_or(std::string(path_default));
  return find_on_path(name, path).value_or("");
}

// What `program`, which `name` means, lacks of one.
std::string expected_program(const std::string& program, const std::string& name) {
  std::error_code failed;
  const auto found = std::filesystem::status(program, failed);
  if (std::filesystem::is_directory(found)) {
    return "a program, but " + program + " is a directory: name a file in it";
  }
  if (std::filesystem::is_regular_file(found)) {
    return "a program, but " + program + " is not executable: chmod +x it";
  }
  if (std::filesystem::exists(found)) {
    return "a program, but " + program + " is no file: name one";
  }
  const std::string remedy = name.find(' ') == std::string::npos
                                 ? ": install it or name its path"
                                 : ": no shell takes it apart, write [\"prog\", \"arg\"]";
  return "a program, but there is no " + (program.empty() ? name + " on PATH" : program) + remedy;
}

std::vector<std::string> read_argv(TableReader& table, const RouteSurroundings& around) {
  const std::size_t faults = table.source().errors.size();
  std::vector<std::string> argv = table.strings("spawn");
  if (!table.has("spawn") || table.source().errors.size() > faults) return argv;
  if (argv.empty() || argv.front().empty() || std::any_of(argv.begin(), argv.end(), holds_nul)) {
    table.fault("spawn", "no program, or NUL", R"(a program and its arguments such as ["prog", "arg"])");
    return argv;
  }
  std::string program = find_program(table, around, argv.front());
  if (around.named_files == NamedFiles::must_exist && !is_program(program)) {
    table.fault("spawn", TableReader::quoted(argv.front()), expected_program(program, argv.front()));
  }
  if (!program.empty()) argv.front() = std::move(program);
  return argv;
}

// Reads `abi` and `env` too: they are keys of two kinds of routes.
SpawnBackend read_spawn(TableReader& table, const RouteSurroundings& around) {
  SpawnBackend spawn;
  spawn.argv = read_argv(table, around);
  table.parsed("abi", spawn.abi, parse_abi, R"("cgi" or "stdio")");
  read_env(table, spawn.env);
  return spawn;
}

std::optional<TransformConfig> read_transform(TableReader& table, const RouteSurroundings& around) {
  table.know("transform");
  if (!table.has("transform")) return std::nullopt;
  if (table.is_table("transform")) {
    TableReader reader(table.source(), *table.table("transform"), table.label_of("transform"));
    SpawnBackend spawn;
    spawn.argv = read_argv(reader, around);
    spawn.abi = Abi::stdio;
    read_env(reader, spawn.env);
    if (!reader.has("spawn"))
      reader.fault("spawn", "nothing", R"(a program and its arguments such as ["prog", "arg"])");
    reader.refuse_unknown_keys();
    return spawn;
  }
  WasmBackend wasm;
  wasm.abi = Abi::stdio;
  read_module(table, "transform", around, wasm.module);
  read_runtime(table, around, wasm);
  return wasm;
}

WasmBackend read_wasm(TableReader& table, const RouteSurroundings& around) {
  WasmBackend wasm;
  read_module(table, "wasm", around, wasm.module);
  if (table.has("wasm")) read_runtime(table, around, wasm);
  wasm.args = table.strings("args");
  if (std::any_of(wasm.args.begin(), wasm.args.end(), holds_nul)) {
    table.fault("args", "an argument with NUL", "arguments without NUL");
  }
  read_dirs(table, around, wasm);
  if (!wasm.dirs.empty() && wasm.runtime != Runtime::wasmtime_embedded) {
    table.fault("dirs", "directories",
                "none, or the runtime \"wasmtime_embedded\", which alone can grant them");
  }
  return wasm;
}

NativeBackend read_native(TableReader& table) {
  NativeBackend native;
  const std::size_t faults = table.source().errors.size();
  table.string("native", native.handler);
  if (!table.has("native") || table.source().errors.size() > faults) return native;
  const auto& names = native_handler_names();
  if (std::find(names.begin(), names.end(), native.handler) != names.end()) return native;
  std::string expected = "one of";
  for (const std::string& name : names) expected += (&name == &names.front() ? " " : ", ") + name;
  if (const auto suggestion = nearest(native.handler, names); !suggestion.empty()) {
    expected = "\"" + std::string(suggestion) + "\", or " + expected;
  }
  table.fault("native", TableReader::quoted(native.handler), std::move(expected));
  return native;
}

UpstreamBackend read_upstream(TableReader& table) {
  std::string url;
  const std::size_t faults = table.source().errors.size();
  table.string("upstream", url);
  if (!table.has("upstream") || table.source().errors.size() > faults) return {};
  auto upstream = parse_upstream_url(url);
  if (upstream) return *std::move(upstream);
  table.fault("upstream", TableReader::quoted(url), std::string(upstream.error()));
  return {};
}

RespondBackend read_respond(TableReader& table) {
  RespondBackend respond;
  const toml::table* entry = table.table("respond");
  if (entry == nullptr) return respond;
  TableReader reader(table.source(), *entry, table.label_of("respond"));
  reader.integer("status", respond.status, 200, 599);
  reader.string("body", respond.body);
  reader.refuse_unknown_keys();
  if (!respond.body.empty() && (respond.status == 204 || respond.status == 205 || respond.status == 304)) {
    reader.fault("body", TableReader::quoted(respond.body),
                 "no body: a response with status " + std::to_string(respond.status) + " cannot carry one");
  }
  return respond;
}

void refuse_keys_of_others(TableReader& table) {
  const bool wasm = table.has("wasm");
  const bool wasm_transform = table.has("transform") && !table.is_table("transform");
  for (const std::string_view key : wasm_keys) {
    table.know(key);
    if (!table.has(key) || wasm || (wasm_transform && (key == "runtime" || key == "mode"))) continue;
    table.fault(key, "a key of wasm routes", "a route with wasm, or not this key");
  }
  for (const std::string_view key : handler_keys) {
    if (!table.has(key) || wasm || table.has("spawn")) continue;
    table.fault(key, "a key of wasm and spawn routes", "a route with one of them, or not this key");
  }
}

// All are looked at even when two are there, so that each one's own faults are told too.
BackendConfig read_backend(TableReader& table, const RouteSurroundings& around) {
  std::string found;
  int count = 0;
  for (const std::string_view key : backend_keys) {
    if (!table.has(key)) continue;
    found += (count++ == 0 ? "" : " and ") + std::string(key);
  }
  if (count != 1) {
    table.fault("", count == 0 ? "no backend" : found,
                "exactly one of native, wasm, spawn, upstream, respond");
  }
  BackendConfig backend;
  // A key counts as known by being asked for, whichever backend the route has.
  NativeBackend native = read_native(table);
  WasmBackend wasm = read_wasm(table, around);
  UpstreamBackend upstream = read_upstream(table);
  RespondBackend respond = read_respond(table);
  SpawnBackend spawn = read_spawn(table, around);
  if (table.has("native")) backend = std::move(native);
  if (table.has("upstream")) backend = std::move(upstream);
  if (table.has("respond")) backend = std::move(respond);
  if (table.has("wasm")) {
    wasm.abi = spawn.abi;
    wasm.env = std::move(spawn.env);
    backend = std::move(wasm);
  } else if (table.has("spawn")) {
    backend = std::move(spawn);
  }
  refuse_keys_of_others(table);
  return backend;
}

std::vector<std::string> read_methods(TableReader& table) {
  const std::size_t faults_before = table.source().errors.size();
  std::vector<std::string> methods = table.strings("methods");
  std::string single;
  table.string("method", single);
  if (table.source().errors.size() != faults_before) return methods;
  if (table.has("method") && table.has("methods")) {
    table.fault("methods", "method and methods", "only one of them");
  }
  if (table.has("method")) methods.push_back(std::move(single));
  if (table.has("methods") && methods.empty()) {
    table.fault("methods", "no method", "at least one; leave the key out to take any method");
  }
  for (const std::string& method : methods) {
    if (!is_method(method)) {
      table.fault(table.has("method") ? "method" : "methods", TableReader::quoted(method),
                  std::string(method_notation));
    } else if (method == "CONNECT") {
      table.fault(table.has("method") ? "method" : "methods", "\"CONNECT\"",
                  "another method: tunnels are not served");
    } else if (!http::is_served_method(method)) {
      table.fault(table.has("method") ? "method" : "methods", TableReader::quoted(method),
                  "a method that HTTP registers: others are answered with 501 before any route");
    }
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return methods;
}

}  // namespace

std::optional<Runtime> parse_runtime(std::string_view text) {
  if (text == "wasmtime_embedded") return Runtime::wasmtime_embedded;
  if (text == "wasmtime") return Runtime::wasmtime;
  if (text == "wasmedge") return Runtime::wasmedge;
  return std::nullopt;
}

const std::vector<std::string>& native_handler_names() {
  static const std::vector<std::string> names = {"compute", "echo", "health", "hello", "json", "state"};
  return names;
}

void read_limits(TableReader& table, Limits& limits) {
  table.duration("deadline", limits.deadline);
  table.duration("cpu", limits.cpu);
  table.duration("io", limits.io);
  table.size("memory", limits.memory_bytes, wasm_page_bytes, wasm_memory_bytes_max);
  table.size("body", limits.body_bytes, 0, streamed_bytes_max);
  table.size("output", limits.output_bytes, 0, held_bytes_max);
  table.size("response", limits.response_bytes, 0, streamed_bytes_max);
  table.size("stderr", limits.stderr_bytes, 0, held_bytes_max);
  table.integer("concurrent", limits.concurrent, 1, concurrent_max);
  table.integer("queue", limits.queue, 0, queue_max);
  table.refuse_unknown_keys();
}

Route read_route(TableReader& table, const RouteSurroundings& around) {
  Route route;
  route.line = table.line();
  route.limits = around.defaults;
  if (!table.has("path")) table.fault("path", "nothing", std::string(route_path_notation));
  table.parsed("path", route.path, parse_route_path, route_path_notation);
  table.parsed("host", route.host, parse_host_pattern, host_pattern_notation);
  route.methods = read_methods(table);
  route.backend = read_backend(table, around);
  route.transform = read_transform(table, around);
  route.headers = table.string_map("headers");
  for (const auto& [name, value] : route.headers) {
    if (const auto why = why_not_a_response_field(name, value)) {
      table.fault("headers", TableReader::quoted(name + ": " + value), std::string(*why));
    }
  }
  if (const toml::table* limits = table.table("limits")) {
    TableReader reader(table.source(), *limits, table.label_of("limits"));
    read_limits(reader, route.limits);
  }
  table.refuse_unknown_keys();
  return route;
}

}  // namespace tollgate::gateway
