// The example guests as tests use them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace tollgate::testing {

// The path of guests/out/NAME.wasm, which `guests/build` makes; a failure when it is not there.
inline std::string guest(const std::string& name) {
  const std::string path = std::string(TOLLGATE_GUESTS_DIR) + "/" + name + ".wasm";
  if (!std::filesystem::exists(path)) ADD_FAILURE() << path << " is missing: run guests/build";
  return path;
}

// Rust's guests need a target that only rustup has; see guests/build.
inline bool rust_guests_are_built() {
  return std::filesystem::exists(std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_rust.wasm");
}
inline constexpr const char* no_rust_guests = "no Rust guests: rustup target add wasm32-wasip1";

// A route of a configuration. `more` are further lines, e.g. limits.
inline std::string wasm_route(const std::string& path, const std::string& name,
                              const std::string& more = {}) {
  return "[[route]]\npath = \"" + path + "\"\nwasm = \"" + guest(name) + "\"\n" + more + "\n";
}

inline const std::string one_worker = "listen = \"127.0.0.1:0\"\nworkers = 1\n";

}  // namespace tollgate::testing
