// From a configuration to the compiled programs its routes need: out of the cache, or compiled in children.
//
// Threads: any one at a time; blocks while children compile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/log.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/prepared_table.hpp"
#include "sandbox/program_preparation.hpp"
#include "sandbox/program_store.hpp"

namespace tollgate::gateway {

class ConfiguredPrograms {
 public:
  // `precompiled`: whether a module may be compiled code from elsewhere, which is executed as it is.
  ConfiguredPrograms(Log& log, sandbox::Precompiled precompiled) : log_(log), precompiled_(precompiled) {}

  // Each distinct module once; nothing is touched when there is none. The error has a line per module that
  // cannot be used: its path and the reason. Where a route's module is run by an engine's command line, that
  // is found and becomes part of `config`.
  expected<TableHandlers, std::string> open(Config& config);

 private:
  expected<std::vector<TableProgram>, std::string> open_programs(const Config& config);
  expected<std::vector<TableModule>, std::string> open_modules(Config& config);
  expected<void, std::string> open_store(const std::string& folder);

  Log& log_;
  sandbox::Precompiled precompiled_;
  std::string engine_;  // its fingerprint, once known
  std::string folder_;  // of store_
  std::optional<sandbox::ProgramStore> store_;
};

}  // namespace tollgate::gateway
