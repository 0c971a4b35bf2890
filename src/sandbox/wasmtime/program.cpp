#include "sandbox/wasmtime/program.hpp"

#include <utility>

#include "sandbox/wasmtime/engine.hpp"
#include "sandbox/wasmtime/run.hpp"

namespace tollgate::sandbox {

WasmtimeProgram::WasmtimeProgram(WasmtimeEngine& engine, tollgate_program* program, Manifest manifest,
                                 MemoryImage image)
    : engine_(engine),
      program_(program),
      manifest_(std::move(manifest)),
      slots_(std::move(image), manifest_.memory_pages_min * wasm_page_bytes, engine.budget()) {}

WasmtimeProgram::~WasmtimeProgram() {
  tollgate_program_delete(program_);
  engine_.budget().give(program_mappings);
}

std::unique_ptr<Run> WasmtimeProgram::start(const Input& input, Sink& sink) {
  return std::make_unique<WasmtimeRun>(*this, input, sink);
}

}  // namespace tollgate::sandbox
