// For tests: modules from text, and modules that are expensive to compile.
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

inline void append_leb(Bytes& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void append_section(Bytes& out, std::uint8_t id, const Bytes& content) {
  out.push_back(id);
  append_leb(out, static_cast<std::uint32_t>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
}

// A valid command whose `_start` has `locals` i32 locals and `code` as its body (without the final `end`),
// and `copies - 1` more functions like it.
inline Bytes command_with_body(std::uint32_t locals, const Bytes& code, std::uint32_t copies = 1) {
  Bytes module{0, 'a', 's', 'm', 1, 0, 0, 0};
  append_section(module, 1, {1, 0x60, 0, 0});
  Bytes functions;
  append_leb(functions, copies);
  functions.insert(functions.end(), copies, 0);
  append_section(module, 3, functions);
  append_section(module, 5, {1, 0, 1});
  append_section(module, 7,
                 {2, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 6, '_', 's', 't', 'a', 'r', 't', 0, 0});
  Bytes body;
  body.push_back(locals > 0 ? 1 : 0);
  if (locals > 0) {
    append_leb(body, locals);
    body.push_back(0x7f);
  }
  body.insert(body.end(), code.begin(), code.end());
  body.push_back(0x0b);
  Bytes section;
  append_leb(section, copies);
  for (std::uint32_t i = 0; i < copies; ++i) {
    append_leb(section, static_cast<std::uint32_t>(body.size()));
    section.insert(section.end(), body.begin(), body.end());
  }
  append_section(module, 10, section);
  return module;
}

}  // namespace tollgate::sandbox::testing
