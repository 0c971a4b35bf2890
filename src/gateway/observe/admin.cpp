#include "gateway/observe/admin.hpp"

#include <nlohmann/json.hpp>

namespace tollgate::gateway {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view prometheus_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view openmetrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view openmetrics_accepted = "application/openmetrics-text";
constexpr std::string_view plain_type = "text/plain; charset=utf-8";

struct Page {
  int status = 200;
  std::string_view type = plain_type;
  std::string body;
};

struct BackendJson {
  ordered_json operator()(const NativeBackend& native) const {
    return {{"kind", "native"}, {"handler", native.handler}};
  }
  ordered_json operator()(const WasmBackend& wasm) const {
    ordered_json json{
        {"kind", "wasm"}, {"module", wasm.module}, {"abi", wasm.abi == Abi::cgi ? "cgi" : "stdio"}};
    if (wasm.runtime != Runtime::wasmtime_embedded) {
      json["runtime"] = wasm.runtime == Runtime::wasmtime ? "wasmtime" : "wasmedge";
      json["mode"] = wasm.mode == EngineMode::aot   ? "aot"
                     : wasm.mode == EngineMode::jit ? "jit"
                                                    : "interpreter";
    }
    return json;
  }
  ordered_json operator()(const SpawnBackend& spawn) const {
    return {{"kind", "spawn"}, {"argv", spawn.argv}, {"abi", spawn.abi == Abi::cgi ? "cgi" : "stdio"}};
  }
  ordered_json operator()(const UpstreamBackend& upstream) const {
    return {{"kind", "upstream"}, {"url", upstream.url}};
  }
  ordered_json operator()(const RespondBackend& respond) const {
    return {{"kind", "respond"}, {"status", respond.status}};
  }
};

struct TransformName {
  std::string operator()(const WasmBackend& wasm) const { return wasm.module; }
  std::string operator()(const SpawnBackend& spawn) const { return spawn.argv.front(); }
};

ordered_json limits_json(const Limits& limits) {
  ordered_json json{{"deadline_ms", limits.deadline.count()},
                    {"cpu_ms", limits.cpu.count()},
                    {"memory_bytes", limits.memory_bytes},
                    {"body_bytes", limits.body_bytes},
                    {"output_bytes", limits.output_bytes},
                    {"stderr_bytes", limits.stderr_bytes},
                    {"io_ms", limits.io.count()},
                    {"response_bytes", nullptr},
                    {"concurrent", limits.concurrent},
                    {"queue", limits.queue}};
  if (limits.response_bytes != UINT64_MAX) json["response_bytes"] = limits.response_bytes;
  return json;
}

ordered_json route_json(const Route& route, bool quarantined) {
  ordered_json json{{"route", route.name()}, {"path", route.path}};
  if (!route.host.empty()) json["host"] = route.host;
  if (!route.methods.empty()) json["methods"] = route.methods;
  json["backend"] = std::visit(BackendJson{}, route.backend);
  if (route.transform) json["transform"] = std::visit(TransformName{}, *route.transform);
  json["limits"] = limits_json(route.limits);
  json["quarantined"] = quarantined;
  return json;
}

Page metrics_page(const AdminSource& source, const http::Request& request) {
  const std::string_view accept = request.fields.find("accept").value_or("");
  const bool openmetrics = accept.find(openmetrics_accepted) != std::string_view::npos;
  return {200, openmetrics ? openmetrics_type : prometheus_type,
          metrics_text(source.metrics(), openmetrics ? Exposition::openmetrics : Exposition::prometheus)};
}

Page page(const AdminSource& source, const http::Request& request) {
  if (request.path == "/metrics") return metrics_page(source, request);
  if (request.path == "/routes") return {200, "application/json", routes_json(source)};
  if (request.path == "/livez") return {.body = "ok\n"};
  if (request.path == "/readyz")
    return source.ready() ? Page{.body = "ok\n"} : Page{503, plain_type, "not ready\n"};
  return {404, plain_type, "Here are /metrics, /routes, /livez and /readyz.\n"};
}

}  // namespace

std::string routes_json(const AdminSource& source) {
  ordered_json routes = ordered_json::array();
  for (const Route& route : source.routes()) routes.push_back(route_json(route, source.quarantined(route)));
  return routes.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Task<> Admin::handle(http::Exchange& exchange) {
  const Page found = page(source_, exchange.request);
  const bool readable =
      exchange.request.method == http::Method::get || exchange.request.method == http::Method::head;
  if (readable || found.status == 404) {
    const http::Field fields[] = {{"content-type", found.type}, {"cache-control", "no-store"}};
    const http::ResponseHead head{found.status, fields};
    co_await exchange.response.send(head, found.body);
  } else {
    const http::Field fields[] = {{"allow", "GET, HEAD"}, {"content-type", plain_type}};
    const http::ResponseHead head{405, fields};
    co_await exchange.response.send(head, "Only GET and HEAD are answered here.\n");
  }
}

}  // namespace tollgate::gateway
