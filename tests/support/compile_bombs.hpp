// Small valid modules that are expensive to compile.
#pragma once

#include <cstdint>
#include <vector>

namespace tollgate::testing {

using ModuleBytes = std::vector<std::uint8_t>;

inline void append_leb(ModuleBytes& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void append_section(ModuleBytes& out, std::uint8_t id, const ModuleBytes& content) {
  out.push_back(id);
  append_leb(out, static_cast<std::uint32_t>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
}

// A command whose `_start` has `locals` i32 locals and `code` as its body (without the final `end`), and
// `copies - 1` more functions like it.
inline ModuleBytes command_with_body(std::uint32_t locals, const ModuleBytes& code,
                                     std::uint32_t copies = 1) {
  ModuleBytes module{0, 'a', 's', 'm', 1, 0, 0, 0};
  append_section(module, 1, {1, 0x60, 0, 0});
  ModuleBytes functions;
  append_leb(functions, copies);
  functions.insert(functions.end(), copies, 0);
  append_section(module, 3, functions);
  append_section(module, 5, {1, 0, 1});
  append_section(module, 7,
                 {2, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 6, '_', 's', 't', 'a', 'r', 't', 0, 0});
  ModuleBytes body;
  body.push_back(locals > 0 ? 1 : 0);
  if (locals > 0) {
    append_leb(body, locals);
    body.push_back(0x7f);
  }
  body.insert(body.end(), code.begin(), code.end());
  body.push_back(0x0b);
  ModuleBytes section;
  append_leb(section, copies);
  for (std::uint32_t i = 0; i < copies; ++i) {
    append_leb(section, static_cast<std::uint32_t>(body.size()));
    section.insert(section.end(), body.begin(), body.end());
  }
  append_section(module, 10, section);
  return module;
}

// Deep nesting: 150 KB that keep the compiler busy for longer than anyone waits.
inline ModuleBytes slow_module() {
  constexpr int depth = 50'000;
  ModuleBytes code;
  for (int i = 0; i < depth; ++i) code.insert(code.end(), {0x03, 0x40});  // loop
  code.insert(code.end(), depth, 0x0b);
  return command_with_body(0, code);
}

// Many locals, each carried by many loops: 350 KB that make the compiler take gigabytes.
inline ModuleBytes greedy_module() {
  constexpr std::uint32_t depth = 20'000;
  ModuleBytes code;
  for (std::uint32_t i = 0; i < depth; ++i) {
    code.insert(code.end(), {0x03, 0x40, 0x20});  // loop, local.get i
    append_leb(code, i);
    code.insert(code.end(), {0x41, 0x01, 0x6a, 0x21});  // i32.const 1, i32.add, local.set i
    append_leb(code, i);
  }
  for (std::uint32_t i = 0; i < depth; ++i) {
    code.push_back(0x20);
    append_leb(code, i);
    code.insert(code.end(), {0x0d, 0x00, 0x0b});  // br_if 0, end
  }
  return command_with_body(depth, code);
}

}  // namespace tollgate::testing
