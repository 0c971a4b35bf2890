#include "gateway/route_reader.hpp"

#include <algorithm>

namespace tollgate::gateway {
namespace {

constexpr std::uint64_t wasm_page_bytes = 64u << 10;
constexpr std::uint64_t wasm_memory_bytes_max = std::uint64_t{4} << 30;
constexpr std::uint64_t held_bytes_max = std::uint64_t{1} << 30;      // what one request may keep in memory
constexpr std::uint64_t streamed_bytes_max = std::uint64_t{1} << 40;  // what may only pass through
constexpr std::int64_t concurrent_max = 100'000;
constexpr std::int64_t queue_max = 1'000'000;

constexpr std::string_view backend_keys[] = {"native", "wasm", "upstream", "respond"};
constexpr std::string_view wasm_keys[] = {"abi", "env", "args", "dirs"};

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

void read_env(TableReader& table, WasmBackend& wasm) {
  for (auto& [name, value] : table.string_map("env")) {
    if (name.empty() || name.find('=') != std::string::npos || holds_nul(name) || holds_nul(value)) {
      table.fault("env", TableReader::quoted(name),
                  "variables whose name is not empty and has no \"=\", without NUL");
    } else {
      wasm.env.emplace(name, std::move(value));
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

WasmBackend read_wasm(TableReader& table, const RouteSurroundings& around) {
  WasmBackend wasm;
  read_module(table, "wasm", around, wasm.module);
  table.parsed("abi", wasm.abi, parse_abi, R"("cgi" or "stdio")");
  read_env(table, wasm);
  wasm.args = table.strings("args");
  if (std::any_of(wasm.args.begin(), wasm.args.end(), holds_nul)) {
    table.fault("args", "an argument with NUL", "arguments without NUL");
  }
  read_dirs(table, around, wasm);
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

// All four are looked at even when two are there, so that each one's own faults are told too.
BackendConfig read_backend(TableReader& table, const RouteSurroundings& around) {
  std::string found;
  int count = 0;
  for (const std::string_view key : backend_keys) {
    if (!table.has(key)) continue;
    found += (count++ == 0 ? "" : " and ") + std::string(key);
  }
  if (count != 1) {
    table.fault("", count == 0 ? "no backend" : found, "exactly one of native, wasm, upstream, respond");
  }
  BackendConfig backend;
  // A key counts as known by being asked for, whichever backend the route has.
  NativeBackend native = read_native(table);
  WasmBackend wasm = read_wasm(table, around);
  UpstreamBackend upstream = read_upstream(table);
  RespondBackend respond = read_respond(table);
  if (table.has("native")) backend = std::move(native);
  if (table.has("upstream")) backend = std::move(upstream);
  if (table.has("respond")) backend = std::move(respond);
  if (table.has("wasm")) {
    backend = std::move(wasm);
  } else {
    for (const std::string_view key : wasm_keys) {
      if (table.has(key)) table.fault(key, "a key of wasm routes", "a route with wasm, or not this key");
    }
  }
  return backend;
}

std::vector<std::string> read_methods(TableReader& table) {
  std::vector<std::string> methods = table.strings("methods");
  std::string single;
  table.string("method", single);
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
    }
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return methods;
}

}  // namespace

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
  WasmBackend transform;
  transform.abi = Abi::stdio;
  read_module(table, "transform", around, transform.module);
  if (table.has("transform")) route.transform = std::move(transform);
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
