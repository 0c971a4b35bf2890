#include "gateway/backend_factory.hpp"

#include "gateway/backends/native/fixed.hpp"

namespace tollgate::gateway {
namespace {

using Made = expected<std::unique_ptr<Backend>, std::string>;

class BackendMaker {
 public:
  BackendMaker(const Route& route, WorkerServices& services) : route_(route), services_(services) {}

  Made operator()(const NativeBackend& native) const {
    if (native.handler == "hello") return make_hello(route_);
    if (native.handler == "health") return make_health(route_);
    return unavailable("native handler " + native.handler);
  }
  Made operator()(const RespondBackend& respond) const {
    return std::make_unique<FixedBackend>(respond.status, respond.body, route_);
  }
  Made operator()(const WasmBackend& wasm) const { return unavailable("module " + wasm.module); }
  Made operator()(const UpstreamBackend& upstream) const { return unavailable("upstream " + upstream.url); }

 private:
  Made unavailable(const std::string& what) const {
    return unexpected("route " + route_.name() + ": " + what + ": this build has no backend for it");
  }

  const Route& route_;
  [[maybe_unused]] WorkerServices& services_;
};

}  // namespace

Made make_backend(const Route& route, WorkerServices& services) {
  return std::visit(BackendMaker(route, services), route.backend);
}

}  // namespace tollgate::gateway
