// The engine's errors as text.
#pragma once

#include <wasmtime.h>

#include <string>

namespace tollgate::sandbox {

// Takes the error; "" for null.
inline std::string take_text(wasmtime_error_t* error) {
  if (error == nullptr) return {};
  wasm_byte_vec_t bytes;
  wasmtime_error_message(error, &bytes);
  std::string text(bytes.data, bytes.size);
  wasm_byte_vec_delete(&bytes);
  wasmtime_error_delete(error);
  return text;
}

}  // namespace tollgate::sandbox
