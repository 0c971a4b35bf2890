#include "sandbox/wasmtime/engine.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/error_text.hpp"
#include "sandbox/wasmtime/program.hpp"
#include "sandbox/wasmtime/run.hpp"
#include "tollgate_engine.h"

namespace tollgate::sandbox {

static_assert(TOLLGATE_WAITS_NEVER == static_cast<int>(HostFunction::Suspension::never));
static_assert(TOLLGATE_WAITS_FOR_STREAMS == static_cast<int>(HostFunction::Suspension::by_streams));
static_assert(TOLLGATE_WAITS_ALWAYS == static_cast<int>(HostFunction::Suspension::possible));

namespace {
std::vector<tollgate_import> imports() {
  std::vector<tollgate_import> made;
  for (const HostFunction& function : preview1_functions()) {
    made.push_back({.name = function.name.data(),
                    .name_length = function.name.size(),
                    .signature = function.signature.data(),
                    .signature_length = function.signature.size(),
                    .function = &function,
                    .waits = static_cast<std::uint32_t>(function.suspension)});
  }
  return made;
}
}  // namespace

expected<std::unique_ptr<WasmtimeEngine>, std::string> WasmtimeEngine::create(WasmtimeOptions options) {
  std::unique_ptr<WasmtimeEngine> self(new WasmtimeEngine(options));
  const tollgate_host_t host{
      .env = self.get(),
      .new_memory =
          [](void* engine, std::size_t initial_bytes, void** owner) {
            return static_cast<WasmtimeEngine*>(engine)->instantiating_->make_memory(initial_bytes, owner);
          },
      .grow_memory = WasmtimeRun::grow_memory,
      .drop_memory = WasmtimeRun::drop_memory,
      .new_stack =
          [](void* engine, std::size_t bytes, void** owner) {
            return static_cast<WasmtimeEngine*>(engine)->instantiating_->make_stack(bytes, owner);
          },
      .drop_stack = StackPool::put_back,
  };
  const tollgate_engine_options_t configuration{
      .host = &host, .wasm_stack_bytes = wasm_stack_bytes, .fiber_stack_bytes = fiber_stack_bytes};
  wasmtime_error_t* error = nullptr;
  self->engine_.reset(tollgate_engine_new(TOLLGATE_ENGINE_HOT_SET, &configuration, &error));
  if (self->engine_ == nullptr) return unexpected(take_text(error));
  const std::vector<tollgate_import> functions = imports();
  self->linkers_.reset(tollgate_linkers_new(self->engine_.get(), functions.data(), functions.size(),
                                            WasmtimeRun::host_call, &error));
  if (self->linkers_ == nullptr) return unexpected(take_text(error));

  if (!install_fault_handler()) return unexpected("fault handler: " + std::string(std::strerror(errno)));
  auto ticker = EpochTicker::create(
      [](void* engine) noexcept { wasmtime_engine_increment_epoch(static_cast<wasm_engine_t*>(engine)); },
      self->engine_.get());
  if (!ticker) return unexpected("epoch timer: " + std::string(std::strerror(ticker.error())));
  self->ticker_ = std::move(*ticker);
  return self;
}

WasmtimeEngine::~WasmtimeEngine() = default;

expected<std::shared_ptr<Program>, std::string> WasmtimeEngine::load(BundleFds bundle) {
  wasmtime_module_t* module = nullptr;
  if (wasmtime_error_t* error = tollgate_engine_load(engine_.get(), bundle.code.release(), &module)) {
    return unexpected(take_text(error));
  }
  auto program = load_module(module, std::move(bundle.manifest), std::move(bundle.image));
  wasmtime_module_delete(module);
  return program;
}

expected<std::shared_ptr<Program>, std::string> WasmtimeEngine::load_module(wasmtime_module_t* module,
                                                                            Manifest manifest,
                                                                            UniqueFd image) {
  MemoryImage mapped;
  if (manifest.image_bytes > 0) {
    auto made = MemoryImage::map(std::move(image), manifest.image_offset, manifest.image_bytes);
    if (!made) return unexpected("memory image: " + std::string(std::strerror(made.error())));
    mapped = std::move(*made);
  }
  wasmtime_error_t* error = nullptr;
  tollgate_program* raw = tollgate_program_new(linkers_.get(), module, &error);
  if (raw == nullptr) return unexpected(take_text(error));
  if (!budget_.take(program_mappings)) {
    tollgate_program_delete(raw);
    return unexpected(std::string("the process has no memory mappings left for it (vm.max_map_count)"));
  }
  return std::make_shared<WasmtimeProgram>(*this, raw, std::move(manifest), std::move(mapped));
}

}  // namespace tollgate::sandbox
