#include "gateway/config/config_json.hpp"

#include <nlohmann/json.hpp>

namespace tollgate::gateway {

using nlohmann::json;

namespace {

// Names of the alternatives of BackendConfig, in its order.
constexpr const char* backend_names[] = {"native", "wasm", "upstream", "respond", "spawn"};

const char* abi_name(Abi abi) {
  return abi == Abi::cgi ? "cgi" : "stdio";
}
Abi abi_from(const json& value) {
  return value.get<std::string>() == "cgi" ? Abi::cgi : Abi::stdio;
}

json milliseconds(Milliseconds value) {
  return value.count();
}
Milliseconds milliseconds(const json& value) {
  return Milliseconds(value.get<Milliseconds::rep>());
}

json to_json(const std::optional<std::string>& text) {
  return text ? json(*text) : json(nullptr);
}
std::optional<std::string> optional_text(const json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<std::string>();
}

json to_json(const Limits& limits) {
  return {{"deadline_ms", milliseconds(limits.deadline)},
          {"cpu_ms", milliseconds(limits.cpu)},
          {"memory_bytes", limits.memory_bytes},
          {"body_bytes", limits.body_bytes},
          {"output_bytes", limits.output_bytes},
          {"response_bytes", limits.response_bytes},
          {"io_ms", milliseconds(limits.io)},
          {"stderr_bytes", limits.stderr_bytes},
          {"concurrent", limits.concurrent},
          {"queue", limits.queue}};
}

Limits limits_from(const json& value) {
  Limits limits;
  limits.deadline = milliseconds(value.at("deadline_ms"));
  limits.cpu = milliseconds(value.at("cpu_ms"));
  value.at("memory_bytes").get_to(limits.memory_bytes);
  value.at("body_bytes").get_to(limits.body_bytes);
  value.at("output_bytes").get_to(limits.output_bytes);
  value.at("response_bytes").get_to(limits.response_bytes);
  limits.io = milliseconds(value.at("io_ms"));
  value.at("stderr_bytes").get_to(limits.stderr_bytes);
  value.at("concurrent").get_to(limits.concurrent);
  value.at("queue").get_to(limits.queue);
  return limits;
}

json to_json(const NativeBackend& native) {
  return {{"handler", native.handler}};
}

json to_json(const WasmBackend& wasm) {
  json dirs = json::array();
  for (const DirectoryGrant& grant : wasm.dirs) {
    dirs.push_back({{"host", grant.host}, {"guest", grant.guest}, {"write", grant.write}});
  }
  return {{"module", wasm.module},
          {"abi", abi_name(wasm.abi)},
          {"env", wasm.env},
          {"args", wasm.args},
          {"dirs", std::move(dirs)},
          {"runtime", static_cast<int>(wasm.runtime)},
          {"mode", static_cast<int>(wasm.mode)},
          {"engine", wasm.engine}};
}

json to_json(const SpawnBackend& spawn) {
  return {{"argv", spawn.argv}, {"abi", abi_name(spawn.abi)}, {"env", spawn.env}};
}

json to_json(const std::optional<TransformConfig>& transform) {
  if (!transform) return nullptr;
  json content = std::visit([](const auto& alternative) { return to_json(alternative); }, *transform);
  return {{std::holds_alternative<WasmBackend>(*transform) ? "wasm" : "spawn", std::move(content)}};
}

json to_json(const UpstreamBackend& upstream) {
  return {{"url", upstream.url},
          {"host", upstream.host},
          {"port", upstream.port},
          {"base_path", upstream.base_path}};
}

json to_json(const RespondBackend& respond) {
  return {{"status", respond.status}, {"body", respond.body}};
}

WasmBackend wasm_from(const json& value) {
  WasmBackend wasm;
  value.at("module").get_to(wasm.module);
  wasm.abi = abi_from(value.at("abi"));
  value.at("env").get_to(wasm.env);
  value.at("args").get_to(wasm.args);
  for (const json& dir : value.at("dirs")) {
    wasm.dirs.push_back({dir.at("host"), dir.at("guest"), dir.at("write").get<bool>()});
  }
  wasm.runtime = static_cast<Runtime>(value.at("runtime").get<int>());
  wasm.mode = static_cast<EngineMode>(value.at("mode").get<int>());
  value.at("engine").get_to(wasm.engine);
  return wasm;
}

SpawnBackend spawn_from(const json& value) {
  SpawnBackend spawn;
  value.at("argv").get_to(spawn.argv);
  spawn.abi = abi_from(value.at("abi"));
  value.at("env").get_to(spawn.env);
  return spawn;
}

std::optional<TransformConfig> transform_from(const json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.contains("wasm")) return wasm_from(value.at("wasm"));
  return spawn_from(value.at("spawn"));
}

BackendConfig backend_from(const json& value) {
  if (value.contains("native")) return NativeBackend{value.at("native").at("handler")};
  if (value.contains("wasm")) return wasm_from(value.at("wasm"));
  if (value.contains("spawn")) return spawn_from(value.at("spawn"));
  if (value.contains("respond")) {
    const json& respond = value.at("respond");
    return RespondBackend{respond.at("status").get<int>(), respond.at("body")};
  }
  const json& upstream = value.at("upstream");
  return UpstreamBackend{upstream.at("url"), upstream.at("host"), upstream.at("port").get<std::uint16_t>(),
                         upstream.at("base_path")};
}

json to_json(const Route& route) {
  json backend = std::visit([](const auto& alternative) { return to_json(alternative); }, route.backend);
  return {{"path", route.path},
          {"host", route.host},
          {"methods", route.methods},
          {"backend", {{backend_names[route.backend.index()], std::move(backend)}}},
          {"transform", to_json(route.transform)},
          {"headers", route.headers},
          {"limits", to_json(route.limits)},
          {"line", route.line},
          {"slot", route.slot}};
}

Route route_from(const json& value) {
  Route route;
  value.at("path").get_to(route.path);
  value.at("host").get_to(route.host);
  value.at("methods").get_to(route.methods);
  route.backend = backend_from(value.at("backend"));
  route.transform = transform_from(value.at("transform"));
  value.at("headers").get_to(route.headers);
  route.limits = limits_from(value.at("limits"));
  value.at("line").get_to(route.line);
  value.at("slot").get_to(route.slot);
  return route;
}

json to_json(const AccessLog& log) {
  switch (log.target) {
    case AccessLog::Target::off:
      return {{"target", "off"}};
    case AccessLog::Target::failures:
      return {{"target", "failures"}};
    case AccessLog::Target::stderr_:
      return {{"target", "stderr"}};
    case AccessLog::Target::file:
      break;
  }
  return {{"target", "file"}, {"path", log.path}};
}

AccessLog access_log_from(const json& value) {
  const std::string target = value.at("target");
  if (target == "off") return {AccessLog::Target::off, {}};
  if (target == "failures") return {AccessLog::Target::failures, {}};
  if (target == "stderr") return {AccessLog::Target::stderr_, {}};
  return {AccessLog::Target::file, value.at("path")};
}

Config config_from(const json& value) {
  Config config;
  value.at("listen").get_to(config.listen);
  config.admin = optional_text(value.at("admin"));
  config.kill_port = optional_text(value.at("kill_port"));
  value.at("workers").get_to(config.workers);
  value.at("cpu_affinity").get_to(config.cpu_affinity);
  value.at("user").get_to(config.user);
  config.drain = milliseconds(value.at("drain_ms"));
  value.at("connections").get_to(config.connections);
  config.access_log = access_log_from(value.at("access_log"));
  value.at("cache_dir").get_to(config.cache_dir);
  for (const json& route : value.at("routes")) config.routes.push_back(route_from(route));
  return config;
}

}  // namespace

std::string config_to_json(const Config& config) {
  json routes = json::array();
  for (const Route& route : config.routes) routes.push_back(to_json(route));
  const json document = {{"listen", config.listen},
                         {"admin", to_json(config.admin)},
                         {"kill_port", to_json(config.kill_port)},
                         {"workers", config.workers},
                         {"cpu_affinity", config.cpu_affinity},
                         {"user", config.user},
                         {"drain_ms", milliseconds(config.drain)},
                         {"connections", config.connections},
                         {"access_log", to_json(config.access_log)},
                         {"cache_dir", config.cache_dir},
                         {"routes", std::move(routes)}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

expected<Config, std::string> config_from_json(std::string_view text) {
  try {
    return config_from(json::parse(text));
  } catch (const json::exception& error) {
    return unexpected(std::string(error.what()));
  }
}

}  // namespace tollgate::gateway
