// For tests: modules from text.
#pragma once

#include <gtest/gtest.h>
#include <wasm.h>
#include <wasmtime.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox::testing {

using Bytes = std::vector<std::uint8_t>;

inline Bytes wasm_from_text(std::string_view text) {
  wasm_byte_vec_t binary;
  if (wasmtime_error_t* error = wasmtime_wat2wasm(text.data(), text.size(), &binary)) {
    ADD_FAILURE() << take_text(error);
    return {};
  }
  Bytes bytes(binary.data, binary.data + binary.size);
  wasm_byte_vec_delete(&binary);
  return bytes;
}

// A command with these fields beside its memory (one page) and its empty _start.
inline Bytes command(std::string_view fields = "") {
  return wasm_from_text(std::string(R"((module (memory (export "memory") 1) (func (export "_start")) )") +
                        std::string(fields) + ")");
}

}  // namespace tollgate::sandbox::testing
