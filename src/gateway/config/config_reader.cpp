#include "gateway/config/config_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "gateway/config/route_reader.hpp"
#include "gateway/config/toml_reader.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::int64_t connections_max = 1'000'000;
constexpr char default_listen_address[] = "127.0.0.1:8080";

void read_listen(TableReader& table, Config& config) {
  for (const std::string& text : table.strings("listen")) {
    if (auto address = parse_listen_address(text)) {
      config.listen.push_back(*std::move(address));
    } else {
      table.fault("listen", TableReader::quoted(text), std::string(listen_address_notation));
    }
  }
  if (config.listen.size() > listen_addresses_max) {
    table.fault("listen", std::to_string(config.listen.size()) + " addresses",
                "at most " + std::to_string(listen_addresses_max));
  }
  if (config.listen.empty() && !table.has("listen")) config.listen.emplace_back(default_listen_address);
  if (config.listen.empty() && table.source().errors.empty()) {
    table.fault("listen", "no address", "at least one");
  }
}

// "" is as good as leaving the key out, so that ${ADMIN:-} can switch an address off.
std::optional<std::optional<std::string>> parse_optional_address(std::string_view text) {
  if (text.empty()) return std::optional<std::string>();
  if (auto address = parse_listen_address(text)) return address;
  return std::nullopt;
}

// Else the second one could not be opened, and the error would blame another process for it.
void refuse_equal_addresses(TableReader& table, const Config& config) {
  std::set<std::string> taken;
  const auto take = [&](std::string_view key, const std::string& address) {
    if (address.ends_with(":0") || taken.insert(address).second) return;  // port 0 is another one each time
    table.fault(key, TableReader::quoted(address) + " again", "an address that no other key or entry names");
  };
  for (const std::string& address : config.listen) take("listen", address);
  if (config.admin) take("admin", *config.admin);
  if (config.kill_port) take("kill_port", *config.kill_port);
}

std::optional<AccessLog> parse_access_log(std::string_view text, const std::filesystem::path& folder) {
  if (text.empty() || text.find('\0') != std::string_view::npos) return std::nullopt;
  if (text == "off") return AccessLog{AccessLog::Target::off, {}};
  if (text == "failures") return AccessLog{AccessLog::Target::failures, {}};
  if (text == "stderr") return AccessLog{AccessLog::Target::stderr_, {}};
  return AccessLog{AccessLog::Target::file, (folder / text).lexically_normal().string()};
}

// Refuses a route that requests could take as well as an earlier one: same path, same host, a method in
// common.
void refuse_duplicates(TomlSource& source, const std::vector<Route>& routes) {
  std::map<std::string, int> first_line;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    if (route.path.empty()) continue;
    std::vector<std::string> methods = route.methods;
    if (methods.empty()) methods.emplace_back();
    for (const std::string& method : methods) {
      const auto [earlier, is_new] =
          first_line.emplace(route.path + ' ' + route.host + ' ' + method, route.line);
      if (is_new) continue;
      source.errors.push_back(
          {source.file, route.line, "route[" + std::to_string(i + 1) + "]",
           "the route " + TableReader::quoted(route.name()) + " again",
           "only one: line " + std::to_string(earlier->second) + " has the same path, host and method"});
      break;
    }
  }
}

void read_routes(TableReader& table, const RouteSurroundings& around, Config& config) {
  const std::size_t faults_before = table.source().errors.size();
  const std::vector<const toml::table*> entries = table.tables("route");
  if (entries.empty() && table.source().errors.size() == faults_before) {
    table.fault("route", "nothing", "at least one [[route]]");
  }
  if (entries.size() > routes_max) {
    table.fault("route", std::to_string(entries.size()) + " routes", "at most " + std::to_string(routes_max));
    return;
  }
  config.routes.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    TableReader reader(table.source(), *entries[i], "route[" + std::to_string(i + 1) + "]");
    config.routes.push_back(read_route(reader, around));
  }
  refuse_duplicates(table.source(), config.routes);
}

Limits read_default_limits(TableReader& table) {
  Limits limits;
  const toml::table* defaults = table.table("defaults");
  if (defaults == nullptr) return limits;
  TableReader reader(table.source(), *defaults, "defaults");
  if (const toml::table* entries = reader.table("limits")) {
    TableReader limits_reader(table.source(), *entries, "defaults.limits");
    read_limits(limits_reader, limits);
  }
  reader.refuse_unknown_keys();
  return limits;
}

Config read_document(TomlSource& source, const toml::table& document, const std::filesystem::path& folder,
                     NamedFiles named_files) {
  Config config;
  TableReader table(source, document, "");
  read_listen(table, config);
  table.parsed("admin", config.admin, parse_optional_address, listen_address_notation);
  table.parsed("kill_port", config.kill_port, parse_optional_address, listen_address_notation);
  refuse_equal_addresses(table, config);
  table.integer("workers", config.workers, 0, workers_max);
  table.boolean("cpu_affinity", config.cpu_affinity);
  table.string("user", config.user);
  table.duration("drain", config.drain);
  table.integer("connections", config.connections, 1, connections_max);
  table.parsed(
      "access_log", config.access_log, [&](std::string_view text) { return parse_access_log(text, folder); },
      R"("failures", "off", "stderr" or the path of a file)");
  std::string cache;
  table.string("cache", cache);
  if (!cache.empty()) config.cache_dir = (folder / cache).lexically_normal().string();
  // The gateway study names its variants by WASM_RUNTIME, so this key says which is the file's.
  Runtime runtime = Runtime::wasmtime_embedded;
  table.parsed("runtime", runtime, parse_runtime, runtime_notation);
  const Limits defaults = read_default_limits(table);
  read_routes(table, {defaults, folder, named_files, runtime}, config);
  table.refuse_unknown_keys();
  return config;
}

ConfigErrors only(ConfigError error) {
  ConfigErrors errors;
  errors.push_back(std::move(error));
  return errors;
}

std::string config_bytes_notation() {
  return "at most " + std::to_string(config_bytes_max) + " bytes";
}

constexpr std::size_t file_piece_bytes = 16384;

}  // namespace

expected<Config, ConfigErrors> read_config(std::string_view toml, const std::filesystem::path& file,
                                           const Environment& environment, NamedFiles named_files) {
  TomlSource source{file.string(), environment, {}};
  if (toml.size() > config_bytes_max) {
    return unexpected(
        only({source.file, 0, "", std::to_string(toml.size()) + " bytes", config_bytes_notation()}));
  }
  const toml::parse_result parsed = toml::parse(toml, source.file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return unexpected(
        only({source.file, static_cast<int>(error.source().begin.line), "",
              "what is not TOML (" + std::string(error.description()) + ")", "a TOML 1.0 document"}));
  }
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  Config config = read_document(source, parsed.table(), folder, named_files);
  if (source.errors.empty()) return config;
  std::stable_sort(source.errors.begin(), source.errors.end(),
                   [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  return unexpected(std::move(source.errors));
}

expected<Config, ConfigErrors> read_config_file(const std::filesystem::path& file,
                                                const Environment& environment) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;  // in pieces: most files are small, and memory that is touched takes time to start
  while (stream && text.size() <= config_bytes_max) {
    const std::size_t before = text.size();
    text.resize(before + file_piece_bytes);
    stream.read(text.data() + before, file_piece_bytes);
    text.resize(before + static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream && !stream.eof()) {
    return unexpected(only({file.string(), 0, "", std::strerror(errno), "a readable configuration file"}));
  }
  if (text.size() > config_bytes_max) {
    return unexpected(only({file.string(), 0, "", "a larger file", config_bytes_notation()}));
  }
  return read_config(text, file, environment, NamedFiles::must_exist);
}

Config with_command_line(Config config, const CommandLine& command_line) {
  if (!command_line.listen.empty()) config.listen = command_line.listen;
  if (command_line.admin) config.admin = command_line.admin;
  if (command_line.workers) config.workers = *command_line.workers;
  return config;
}

expected<Config, ConfigErrors> config_for_handler(const std::filesystem::path& module,
                                                  const CommandLine& command_line) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(module, failed)) {
    return unexpected(only({"command line", 0, "handler", TableReader::quoted(module.string()),
                            "the path of a WebAssembly module"}));
  }
  WasmBackend wasm;
  wasm.module = std::filesystem::absolute(module).lexically_normal().string();
  wasm.abi = command_line.abi;
  Config config;
  config.listen.emplace_back(default_listen_address);
  Route route;
  route.path = "/*";
  route.backend = std::move(wasm);
  config.routes.push_back(std::move(route));
  return with_command_line(std::move(config), command_line);
}

}  // namespace tollgate::gateway
