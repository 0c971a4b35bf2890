#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace tollgate::testing {

// The engine's command line that `./dev wasmtime` or `./dev wasmedge` has installed; "" if there is none. Only what lies
// there counts: the workers' user, who runs it, need not reach what root has on PATH.
inline std::string installed_engine(const std::string& name) {
  const char* const home = std::getenv("HOME");
  const char* const xdg = std::getenv("XDG_CACHE_HOME");
  std::filesystem::path cache = xdg != nullptr ? xdg : std::string(home != nullptr ? home : "") + "/.cache";
  if (geteuid() == 0) cache = "/var/cache";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(cache / "tollgate", ignored)) {
    const std::filesystem::path program = entry.path() / "bin" / name;
    if (entry.path().filename().string().starts_with(name) && std::filesystem::exists(program)) return program;
  }
  return "";
}

}  // namespace tollgate::testing
