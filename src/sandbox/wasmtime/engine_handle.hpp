// An engine with memories and stacks of its own: to compile with, and to ask for its fingerprint.
#pragma once

#include <tollgate_engine.h>

#include <memory>
#include <string>

#include "base/expected.hpp"

namespace tollgate::sandbox {

template <auto destroy>
struct EngineDeleter {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};

using EngineHandle = std::unique_ptr<wasm_engine_t, EngineDeleter<wasm_engine_delete>>;

expected<EngineHandle, std::string> make_compiling_engine();

std::string fingerprint_of(const wasm_engine_t& engine);

}  // namespace tollgate::sandbox
