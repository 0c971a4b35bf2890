// The engine's errors as text.
#pragma once

#include <wasmtime.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace tollgate::sandbox {

// The engine tells causes below each other, indented, under the line "Caused by:"; here ": " leads to a
// cause.
inline std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    part.remove_prefix(std::min(part.size(), part.find_first_not_of(' ')));
    if (part.empty() || part == "Caused by:") continue;
    line.append(line.empty() ? "" : ": ").append(part);
  }
  return line;
}

// Takes the error; "" for null.
inline std::string take_text(wasmtime_error_t* error) {
  if (error == nullptr) return {};
  wasm_byte_vec_t bytes;
  wasmtime_error_message(error, &bytes);
  std::string text = one_line({bytes.data, bytes.size});
  wasm_byte_vec_delete(&bytes);
  wasmtime_error_delete(error);
  return text;
}

}  // namespace tollgate::sandbox
