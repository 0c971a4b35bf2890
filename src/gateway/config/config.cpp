#include "gateway/config/config.hpp"

namespace tollgate::gateway {

std::string Route::name() const {
  std::string text = path;
  if (!host.empty()) text += " " + host;
  for (const std::string& method : methods) text += " " + method;
  return text;
}

std::string module_name(const WasmBackend& wasm) {
  constexpr const char* runtimes[] = {"embedded ", "wasmtime ", "wasmedge "};
  constexpr const char* modes[] = {"aot ", "jit ", "interpreter "};
  return runtimes[static_cast<int>(wasm.runtime)] + std::string(modes[static_cast<int>(wasm.mode)]) +
         wasm.module;
}

}  // namespace tollgate::gateway
