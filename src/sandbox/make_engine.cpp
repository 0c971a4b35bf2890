#include "sandbox/make_engine.hpp"

#include "sandbox/wasmtime/engine.hpp"

namespace tollgate::sandbox {

expected<std::unique_ptr<Engine>, std::string> make_engine() {
  auto engine = WasmtimeEngine::create();
  if (!engine) return unexpected(engine.error());
  return std::unique_ptr<Engine>(std::move(*engine));
}

}  // namespace tollgate::sandbox
