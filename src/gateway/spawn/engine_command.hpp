// The command lines of WebAssembly engines: where they are, and what runs a module with them.
//
// Modules come to them as descriptor program_module_fd, so that the user they run as need not reach the
// files. Blocks; start, reload and doctor only.
#pragma once

#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/config/config.hpp"
#include "gateway/spawn/tool_run.hpp"

namespace tollgate::gateway {

struct EngineProgram {
  std::vector<std::string> argv;  // argv[0] a path; more where it is run through a loader of its own
  std::string version;            // one line
};

// By TOLLGATE_WASMTIME or TOLLGATE_WASMEDGE, on PATH, or where tools/install-wasmtime and
// tools/install-wasmedge put it: /var/cache/tollgate for root, so that the workers' user can reach it, else
// the user's cache folder. The error is a sentence that tells how to get it.
expected<EngineProgram, std::string> find_engine(Runtime runtime);

// As of the compiler of our own (sandbox/compiler.hpp): generous for real modules, an end for compile bombs.
inline constexpr ToolLimits engine_compile_limits{.wall = std::chrono::milliseconds(60'000),
                                                  .cpu_seconds = 60,
                                                  .address_space_bytes = 2ull << 30,
                                                  .file_bytes = 512ull << 20};

// A file that the engine can run as program_module_path: compiled ahead of time and kept in `folder`
// (engine_cache.hpp) under a name made of the module's content, the engine and the CPU; or, in other modes,
// the module itself in memory. The error is a sentence.
expected<UniqueFd, std::string> engine_module(const WasmBackend& wasm, const EngineProgram& engine,
                                              const std::string& folder,
                                              const ToolLimits& limits = engine_compile_limits);

// argv up to the guest's variables.
std::vector<std::string> engine_argv(const WasmBackend& wasm, const EngineProgram& engine,
                                     std::uint64_t memory_bytes_max);

}  // namespace tollgate::gateway
