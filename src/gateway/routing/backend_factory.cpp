#include "gateway/routing/backend_factory.hpp"

#include "gateway/backends/native/compute.hpp"
#include "gateway/backends/native/echo.hpp"
#include "gateway/backends/native/fixed.hpp"
#include "gateway/backends/native/json.hpp"
#include "gateway/backends/native/state.hpp"
#include "gateway/backends/sandbox_backend.hpp"
#include "gateway/backends/spawn_backend.hpp"
#include "gateway/backends/transform_backend.hpp"
#include "gateway/backends/upstream/upstream_backend.hpp"

namespace tollgate::gateway {
namespace {

using Made = expected<std::unique_ptr<Backend>, std::string>;

class BackendMaker {
 public:
  BackendMaker(const Route& route, const TableResources& resources, WorkerServices& services)
      : route_(route), resources_(resources), services_(services) {}

  Made operator()(const NativeBackend& native) const {
    if (native.handler == "hello") return make_hello(route_);
    if (native.handler == "health") return make_health(route_);
    if (native.handler == "compute") return std::make_unique<ComputeBackend>(route_, services_.executor);
    if (native.handler == "state") return std::make_unique<StateBackend>(route_, services_.counts.state);
    if (native.handler == "echo") return std::make_unique<EchoBackend>(route_);
    if (native.handler == "json") return std::make_unique<JsonBackend>(route_);
    return unexpected("there is no native handler " + native.handler);
  }
  Made operator()(const RespondBackend& respond) const {
    return std::make_unique<FixedBackend>(respond.status, respond.body, route_);
  }
  Made operator()(const SpawnBackend& spawn) const { return make_spawning(spawn.abi, spawn); }
  Made operator()(const WasmBackend& wasm) const {
    if (wasm.runtime != Runtime::wasmtime_embedded) return make_spawning(wasm.abi, wasm);
    auto guest = GuestHandler::make(route_, wasm, resources_, services_);
    if (!guest) return unexpected(guest.error());
    return std::make_unique<SandboxBackend>(wasm.abi, std::move(*guest));
  }
  Made operator()(const UpstreamBackend& upstream) const {
    return std::make_unique<ReverseProxy>(services_.executor, upstream, services_.upstreams);
  }

  expected<std::unique_ptr<BodyFilter>, std::string> make_filter(const TransformConfig& transform) const {
    const auto* wasm = std::get_if<WasmBackend>(&transform);
    if (wasm != nullptr && wasm->runtime == Runtime::wasmtime_embedded) {
      auto guest = GuestHandler::make(route_, *wasm, resources_, services_);
      if (!guest) return unexpected(guest.error());
      return std::make_unique<SandboxFilter>(std::move(*guest));
    }
    auto program = SpawnHandler::make(route_, transform, resources_, services_);
    if (!program) return unexpected(program.error());
    return std::make_unique<ProgramFilter>(std::move(*program));
  }

 private:
  Made make_spawning(Abi abi, const TransformConfig& program) const {
    auto handler = SpawnHandler::make(route_, program, resources_, services_);
    if (!handler) return unexpected(handler.error());
    return std::make_unique<ProgramBackend>(abi, std::move(*handler));
  }

  const Route& route_;
  const TableResources& resources_;
  WorkerServices& services_;
};

}  // namespace

Made make_backend(const Route& route, const TableResources& resources, WorkerServices& services) {
  const BackendMaker maker(route, resources, services);
  Made backend = std::visit(maker, route.backend);
  if (!backend || !route.transform) return backend;
  auto filter = maker.make_filter(*route.transform);
  if (!filter) return unexpected(filter.error());
  return std::make_unique<TransformBackend>(std::move(*backend), std::move(*filter));
}

}  // namespace tollgate::gateway
