#include "cli/print_routes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tollgate::cli {
namespace {

using gateway::Route;

struct Describe {
  std::string operator()(const gateway::NativeBackend& native) const { return "native " + native.handler; }
  std::string operator()(const gateway::WasmBackend& wasm) const {
    std::string text = "wasm " + wasm.module.substr(wasm.module.rfind('/') + 1);
    if (wasm.runtime == gateway::Runtime::wasmtime) text += " by wasmtime";
    if (wasm.runtime == gateway::Runtime::wasmedge) text += " by wasmedge";
    if (wasm.mode == gateway::EngineMode::jit) text += " (jit)";
    if (wasm.mode == gateway::EngineMode::interpreter) text += " (interpreter)";
    return text;
  }
  std::string operator()(const gateway::SpawnBackend& spawn) const { return "spawn " + spawn.argv.front(); }
  std::string operator()(const gateway::UpstreamBackend& upstream) const {
    return "upstream " + upstream.url;
  }
  std::string operator()(const gateway::RespondBackend& respond) const {
    return fmt::format("respond {}", respond.status);
  }
};

// A path the route matches: something has to stand for the star.
std::string example_path(const Route& route) {
  std::string path = route.path;
  if (path.ends_with('*')) path.replace(path.size() - 1, 1, path == "/*" ? "" : "x");
  return path;
}

// Whether anything else than JSON is answered with an error.
bool takes_json(const Route& route) {
  const auto* native = std::get_if<gateway::NativeBackend>(&route.backend);
  return native != nullptr && native->handler == "json";
}

std::string curl_line(const Route& route, const std::string& address) {
  std::string line = "curl ";
  const bool any_or_get =
      route.methods.empty() || std::count(route.methods.begin(), route.methods.end(), "GET") > 0;
  if (takes_json(route)) {
    line += "-d '{\"a\":1}' ";
  } else if (!any_or_get) {
    line += fmt::format("-X {} -d hello ", route.methods.front());
  }
  if (!route.host.empty()) {
    std::string host = route.host;
    if (host.starts_with("*.")) host.replace(0, 1, "www");
    line += fmt::format("-H 'Host: {}' ", host);
  }
  return line + fmt::format("http://{}{}", address, example_path(route));
}

}  // namespace

std::string describe_routes(const gateway::Config& config, const std::string& address) {
  std::size_t width = 0;
  for (const Route& route : config.routes) width = std::max(width, route.name().size());
  std::string lines;
  for (const Route& route : config.routes) {
    std::string backend = std::visit(Describe{}, route.backend);
    if (route.transform) backend += ", through " + std::visit(Describe{}, *route.transform);
    lines += fmt::format("  {:<{}}  {:<40}  {}\n", route.name(), width, backend, curl_line(route, address));
  }
  return lines;
}

}  // namespace tollgate::cli
