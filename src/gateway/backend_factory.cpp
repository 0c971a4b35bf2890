#include "gateway/backend_factory.hpp"

#include "gateway/backends/native/compute.hpp"
#include "gateway/backends/native/echo.hpp"
#include "gateway/backends/native/fixed.hpp"
#include "gateway/backends/native/json.hpp"
#include "gateway/backends/native/state.hpp"
#include "gateway/backends/sandbox_backend.hpp"
#include "gateway/backends/transform_backend.hpp"
#include "gateway/backends/upstream_backend.hpp"

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
  Made operator()(const WasmBackend& wasm) const {
    auto guest = GuestHandler::make(route_, wasm, resources_, services_);
    if (!guest) return unexpected(guest.error());
    return std::make_unique<SandboxBackend>(wasm.abi, std::move(*guest));
  }
  Made operator()(const UpstreamBackend& upstream) const {
    return std::make_unique<ReverseProxy>(services_.executor, upstream, services_.upstreams);
  }

 private:
  const Route& route_;
  const TableResources& resources_;
  WorkerServices& services_;
};

}  // namespace

Made make_backend(const Route& route, const TableResources& resources, WorkerServices& services) {
  Made backend = std::visit(BackendMaker(route, resources, services), route.backend);
  if (!backend || !route.transform) return backend;
  auto guest = GuestHandler::make(route, *route.transform, resources, services);
  if (!guest) return unexpected(guest.error());
  return std::make_unique<TransformBackend>(std::move(*backend), std::move(*guest));
}

}  // namespace tollgate::gateway
