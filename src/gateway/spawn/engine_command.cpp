#include "gateway/spawn/engine_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>

#include "gateway/process/memory_file.hpp"
#include "gateway/spawn/tool_run.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds version_time_max{5'000};
constexpr std::chrono::milliseconds compile_time_max{60'000};
constexpr std::uint64_t wasm_page_bytes = 64u << 10;

struct EngineNames {
  const char* program;
  const char* variable;
  const char* installer;
};
constexpr EngineNames names_of(Runtime runtime) {
  if (runtime == Runtime::wasmtime) return {"wasmtime", "TOLLGATE_WASMTIME", "./dev wasmtime"};
  return {"wasmedge", "TOLLGATE_WASMEDGE", "./dev wasmedge"};
}

bool is_program(const fs::path& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed) && access(path.c_str(), X_OK) == 0;
}

std::vector<fs::path> install_folders() {
  std::vector<fs::path> folders;
  if (geteuid() == 0) folders.emplace_back("/var/cache/tollgate");
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  if (cache != nullptr && *cache != '\0') {
    folders.emplace_back(fs::path(cache) / "tollgate");
  } else if (home != nullptr) {
    folders.emplace_back(fs::path(home) / ".cache/tollgate");
  }
  return folders;
}

// The newest of PREFIX*/bin/PROGRAM.
std::string find_installed(const std::string& program) {
  for (const fs::path& folder : install_folders()) {
    std::string newest;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
      const std::string name = entry.path().filename();
      const std::string file = entry.path() / "bin" / program;
      if (name.starts_with(program) && is_program(file)) newest = std::max(newest, file);
    }
    if (!newest.empty()) return newest;
  }
  return {};
}

// tools/install-wasmedge unpacks foreign packages with their own C library: run through that one's loader
// directly, the launcher's shell is spared.
std::vector<std::string> command_of(const fs::path& file) {
  const fs::path root = file.parent_path().parent_path() / "root/usr";
  const fs::path binary = root / "bin" / file.filename();
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(root / "lib", failed)) {
    const fs::path loader = entry.path() / "ld-linux-x86-64.so.2";
    if (is_program(loader) && is_program(binary)) return {loader, "--library-path", entry.path(), binary};
  }
  return {file};
}

expected<std::string, std::string> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return unexpected(fmt::format("{}: {}", path, strerror(errno)));
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (content.size() > memory_file_bytes_max)
    return unexpected(fmt::format("{} is larger than 64 MiB", path));
  return content;
}

// Engines compile for the very CPU.
std::string cpu_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags") || line.starts_with("Features")) return line;
  }
  return {};
}

std::string digest_of(const std::string& text) {
  return sandbox::sha256_hex(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// What is in the folder is executed, so nobody else may write there.
expected<void, std::string> make_private(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  struct stat found{};
  if (lstat(folder.c_str(), &found) != 0) return unexpected(fmt::format("{}: {}", folder, strerror(errno)));
  if (chmod(folder.c_str(), S_IRWXU) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid()) {
    return unexpected(fmt::format("{} is not a folder of ours alone; name another one by `cache`", folder));
  }
  return {};
}

expected<UniqueFd, std::string> compiled(const WasmBackend& wasm, const EngineProgram& engine,
                                         const std::string& content, const std::string& folder) {
  if (auto made = make_private(folder); !made) return unexpected(made.error());
  const std::string key = digest_of(digest_of(content) + engine.version +
                                    fmt::format("{}", fmt::join(engine.argv, " ")) + cpu_flags());
  const std::string file =
      fmt::format("{}/{}{}", folder, key, wasm.runtime == Runtime::wasmtime ? ".cwasm" : ".so");
  if (UniqueFd kept(open(file.c_str(), O_RDONLY | O_CLOEXEC)); kept) return kept;
  const std::string temporary = fmt::format("{}/{}.{}", folder, key, getpid());
  std::vector<std::string> argv = engine.argv;
  argv.emplace_back("compile");
  if (wasm.runtime == Runtime::wasmtime) {
    argv.insert(argv.end(), {"-o", temporary, wasm.module});
  } else {
    argv.insert(argv.end(), {wasm.module, temporary});
  }
  const auto done = run_tool(argv, compile_time_max);
  // Readable for the user that runs it, who cannot reach it by its path.
  const bool kept =
      done && chmod(temporary.c_str(), 0644) == 0 && rename(temporary.c_str(), file.c_str()) == 0;
  const std::string cause = done ? fmt::format("{}: {}", file, strerror(errno)) : done.error();
  if (!kept) {
    unlink(temporary.c_str());
    return unexpected(fmt::format("{} cannot be compiled: {}", wasm.module, cause));
  }
  return UniqueFd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

expected<EngineProgram, std::string> find_engine(Runtime runtime) {
  const EngineNames names = names_of(runtime);
  std::string file;
  if (const char* const named = std::getenv(names.variable); named != nullptr && *named != '\0') {
    file = named;
    if (!is_program(file))
      return unexpected(fmt::format("{}={}: not an executable file", names.variable, file));
  }
  if (file.empty()) file = find_on_path(names.program).value_or("");
  if (file.empty()) file = find_installed(names.program);
  if (file.empty()) {
    return unexpected(fmt::format("there is no {} on PATH, in {}, or installed by `{}`, which gets it",
                                  names.program, names.variable, names.installer));
  }
  EngineProgram engine{.argv = command_of(file), .version = {}};
  std::vector<std::string> argv = engine.argv;
  argv.emplace_back("--version");
  auto version = run_tool(argv, version_time_max);
  if (!version) return unexpected(version.error());
  engine.version = version->substr(0, version->find('\n'));
  return engine;
}

expected<UniqueFd, std::string> engine_module(const WasmBackend& wasm, const EngineProgram& engine,
                                              const std::string& folder) {
  const auto content = content_of(wasm.module);
  if (!content) return unexpected(content.error());
  if (!content->starts_with(std::string_view("\0asm", 4))) {
    return unexpected(fmt::format("{} is no WebAssembly module", wasm.module));
  }
  if (wasm.mode == EngineMode::aot) return compiled(wasm, engine, *content, folder);
  return make_memory_file("module.wasm", *content);
}

std::vector<std::string> engine_argv(const WasmBackend& wasm, const EngineProgram& engine,
                                     std::uint64_t memory_bytes_max) {
  std::vector<std::string> argv = engine.argv;
  argv.emplace_back("run");
  if (wasm.runtime == Runtime::wasmtime) {
    // Its own cache of compiled code would be in a home that the user has not.
    argv.insert(argv.end(), {"-C", "cache=n", "-W", fmt::format("max-memory-size={}", memory_bytes_max)});
    if (wasm.mode == EngineMode::aot) argv.emplace_back("--allow-precompiled");
    argv.insert(argv.end(), {"--argv0", fs::path(wasm.module).filename()});
    return argv;
  }
  argv.insert(argv.end(), {"--memory-page-limit", std::to_string(memory_bytes_max / wasm_page_bytes)});
  if (wasm.mode == EngineMode::jit) argv.emplace_back("--enable-jit");
  if (wasm.mode == EngineMode::interpreter) argv.emplace_back("--force-interpreter");
  return argv;
}

}  // namespace tollgate::gateway
