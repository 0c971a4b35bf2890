#include "sandbox/wasmtime/engine_handle.hpp"

#include "sandbox/engine_fingerprint.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox {

expected<EngineHandle, std::string> make_compiling_engine() {
  const tollgate_engine_options_t options{};
  wasmtime_error_t* error = nullptr;
  EngineHandle engine(tollgate_engine_new(TOLLGATE_ENGINE_HOT_SET, &options, &error));
  if (engine == nullptr) return unexpected("cannot make an engine: " + take_text(error));
  return engine;
}

std::string fingerprint_of(const wasm_engine_t& engine) {
  char text[TOLLGATE_ENGINE_FINGERPRINT_BYTES];
  tollgate_engine_fingerprint(&engine, text);
  return text;
}

expected<std::string, std::string> engine_fingerprint() {
  const auto engine = make_compiling_engine();
  if (!engine) return unexpected(engine.error());
  return fingerprint_of(**engine);
}

}  // namespace tollgate::sandbox
