#include "gateway/process/configured_programs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "gateway/process/limits.hpp"
#include "gateway/spawn/engine_command.hpp"
#include "sandbox/engine_fingerprint.hpp"
#include "sandbox/program_preparation.hpp"

namespace tollgate::gateway {
namespace {

// A module that several routes name may need as much memory as the most generous of them allows.
std::map<std::string, std::uint64_t> memory_by_module(const Config& config) {
  std::map<std::string, std::uint64_t> memory;
  struct Add {
    std::map<std::string, std::uint64_t>& memory;
    void operator()(const WasmBackend& wasm, const Route& route) const {
      if (wasm.runtime != Runtime::wasmtime_embedded) return;
      std::uint64_t& bytes = memory[wasm.module];
      bytes = std::max(bytes, route.limits.memory_bytes);
    }
    void operator()(const SpawnBackend&, const Route&) const {}
  };
  for_each_handler(config.routes, Add{memory});
  return memory;
}

}  // namespace

expected<void, std::string> ConfiguredPrograms::open_store(const std::string& folder) {
  const std::string wanted = folder.empty() ? sandbox::default_program_folder() : folder;
  if (store_ && folder_ == wanted) return {};
  auto store = sandbox::ProgramStore::open(wanted);
  if (store) {
    store_.emplace(std::move(*store));
    folder_ = wanted;
    return {};
  }
  if (!folder.empty()) return unexpected(fmt::format("cache: {}", store.error()));
  log_.warning("compiled programs are not kept: {}; name a folder by `cache`", store.error());
  store_.reset();
  return {};
}

expected<TableHandlers, std::string> ConfiguredPrograms::open(Config& config) {
  auto programs = open_programs(config);
  if (!programs) return unexpected(programs.error());
  auto modules = open_modules(config);
  if (!modules) return unexpected(modules.error());
  return TableHandlers{std::move(*programs), std::move(*modules)};
}

expected<std::vector<TableModule>, std::string> ConfiguredPrograms::open_modules(Config& config) {
  const std::string folder =
      (config.cache_dir.empty() ? sandbox::default_program_folder() : config.cache_dir) + "/engines";
  std::map<Runtime, EngineProgram> engines;
  std::map<std::string, UniqueFd> modules;
  std::string failure;
  struct Prepare {
    const std::string& folder;
    std::map<Runtime, EngineProgram>& engines;
    std::map<std::string, UniqueFd>& modules;
    std::string& failure;

    void operator()(SpawnBackend&, const Route&) const {}
    void operator()(WasmBackend& wasm, const Route& route) const {
      if (wasm.runtime == Runtime::wasmtime_embedded || !failure.empty()) return;
      if (!engines.contains(wasm.runtime)) {
        auto engine = find_engine(wasm.runtime);
        if (!engine) return fail(route, engine.error());
        engines.emplace(wasm.runtime, std::move(*engine));
      }
      const EngineProgram& engine = engines.at(wasm.runtime);
      wasm.engine = engine_argv(wasm, engine, route.limits.memory_bytes);
      UniqueFd& module = modules[module_name(wasm)];
      if (module) return;
      auto opened = engine_module(wasm, engine, folder);
      if (!opened) return fail(route, opened.error());
      module = std::move(*opened);
    }
    void fail(const Route& route, const std::string& cause) const {
      failure = fmt::format("route {}: {}", route.name(), cause);
    }
  };
  for_each_handler(config.routes, Prepare{folder, engines, modules, failure});
  if (!failure.empty()) return unexpected(std::move(failure));
  std::vector<TableModule> opened;
  for (auto& [name, fd] : modules) opened.push_back({name, std::move(fd)});
  return opened;
}

expected<std::vector<TableProgram>, std::string> ConfiguredPrograms::open_programs(const Config& config) {
  std::vector<TableProgram> programs;
  const auto memory = memory_by_module(config);
  if (memory.empty()) return programs;
  if (auto opened = open_store(config.cache_dir); !opened) return unexpected(opened.error());
  if (engine_.empty()) {
    auto engine = sandbox::engine_fingerprint();
    if (!engine) return unexpected(engine.error());
    engine_ = std::move(*engine);
  }
  sandbox::ProgramPreparation preparation(store_ ? &*store_ : nullptr, engine_,
                                          {.precompiled = precompiled_});
  for (const auto& [module, memory_bytes_max] : memory) preparation.add(module, memory_bytes_max);
  while (!preparation.finish_within(compile_progress_interval)) {
    log_.info("compiling: {} of {} modules are left", preparation.left(), memory.size());
  }

  std::string failures;
  for (sandbox::PreparedProgram& prepared : preparation.take()) {
    if (!prepared.warning.empty()) log_.warning("{}: {}", prepared.path, prepared.warning);
    if (prepared.bundle) {
      programs.push_back({std::move(prepared.path), std::move(*prepared.bundle)});
    } else {
      failures +=
          fmt::format("{}{}: {}", failures.empty() ? "" : "\n", prepared.path, prepared.bundle.error());
    }
  }
  if (!failures.empty()) return unexpected(std::move(failures));
  return programs;
}

}  // namespace tollgate::gateway
