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

#include "base/unprivileged.hpp"
#include "gateway/config/program_path.hpp"
#include "gateway/process/memory_file.hpp"
#include "gateway/spawn/engine_cache.hpp"
#include "gateway/spawn/spawn_protocol.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds version_time_max{5'000};
constexpr unsigned compiler_threads_max = 4;  // each has an arena of address space of its own

struct EngineNames {
  const char* program;
  const char* variable;
  const char* installer;
};
constexpr EngineNames names_of(Runtime runtime) {
  if (runtime == Runtime::wasmtime) return {"wasmtime", "TOLLGATE_WASMTIME", "./dev wasmtime"};
  return {"wasmedge", "TOLLGATE_WASMEDGE", "./dev wasmedge"};
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

// A folder that the compiler's user can write into, gone with the object.
class CompileFolder {
 public:
  CompileFolder() {
    const char* const parent = std::getenv("TMPDIR");
    path_ = fs::path(parent != nullptr && *parent != '\0' ? parent : "/tmp") / "tollgate-compile-XXXXXX";
    made_ = mkdtemp(path_.data()) != nullptr;
    if (!made_ || (geteuid() == 0 && chown(path_.c_str(), nobody_id, nobody_id) != 0))
      failed_.assign(errno, std::generic_category());
  }
  ~CompileFolder() {
    std::error_code ignored;
    if (made_) fs::remove_all(path_, ignored);
  }
  CompileFolder(const CompileFolder&) = delete;
  CompileFolder& operator=(const CompileFolder&) = delete;

  const std::error_code& failed() const { return failed_; }
  const std::string& path() const { return path_; }

 private:
  std::error_code failed_;
  std::string path_;
  bool made_ = false;
};

std::string sentence(const ToolFailure& failure, const ToolLimits& limits) {
  using Reason = ToolFailure::Reason;
  switch (failure.reason) {
    case Reason::wall:
      return fmt::format("takes too long to compile: the limit is {} ms", limits.wall.count());
    case Reason::cpu:
      return fmt::format("takes too long to compile: the limit is {} s of CPU time", limits.cpu_seconds);
    case Reason::memory:
      return fmt::format("takes too much memory to compile: the limit is {} bytes of address space",
                         limits.address_space_bytes);
    case Reason::file:
      return fmt::format("compiles to more than the limit of {} bytes", limits.file_bytes);
    case Reason::start:
      return fmt::format("cannot be compiled: the engine does not start: {}", failure.detail);
    case Reason::failed:
      break;
  }
  return fmt::format("cannot be compiled: {}", failure.detail);
}

// By the engine's own compiler, as a user without rights and within limits: the module may be hostile.
expected<UniqueFd, std::string> compiled(const WasmBackend& wasm, const EngineProgram& engine,
                                         const std::string& content, const std::string& folder,
                                         const ToolLimits& limits) {
  const auto cache = EngineCache::open(folder);
  if (!cache) return unexpected(cache.error());
  const std::string name = digest_of(digest_of(content) + engine.version +
                                     fmt::format("{}", fmt::join(engine.argv, " ")) + cpu_flags()) +
                           (wasm.runtime == Runtime::wasmtime ? ".cwasm" : ".so");
  if (UniqueFd kept = cache->find(name)) return kept;
  auto module = make_memory_file("module.wasm", content);
  if (!module) return unexpected(module.error());
  const CompileFolder work;
  if (work.failed())
    return unexpected(fmt::format("no folder to compile in: {}: {}; name another one by TMPDIR",
                                  fs::path(work.path()).parent_path().string(), work.failed().message()));
  const std::string result = work.path() + "/" + name;
  ToolRun tool{
      .argv = engine.argv,
      .environment = {"HOME=" + work.path(), "TMPDIR=" + work.path(), fmt::format("PATH={}", path_default),
                      fmt::format("RAYON_NUM_THREADS={}", compiler_threads_max),
                      fmt::format("MALLOC_ARENA_MAX={}", compiler_threads_max)},
      .input = module->get(),
      .limits = limits,
      .user = ToolUser::nobody};
  tool.argv.emplace_back("compile");
  if (wasm.runtime == Runtime::wasmtime) {
    tool.argv.insert(tool.argv.end(), {"-o", result, std::string(program_module_path)});
  } else {
    tool.argv.insert(tool.argv.end(), {std::string(program_module_path), result});
  }
  const auto done = run_tool(tool);
  if (!done) return unexpected(fmt::format("{} {}", wasm.module, sentence(done.error(), limits)));
  const UniqueFd code(open(result.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!code) return unexpected(fmt::format("{} cannot be compiled: the engine wrote nothing", wasm.module));
  return cache->keep(name, code.get());
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
  const auto version = run_tool({.argv = argv, .limits = {.wall = version_time_max}});
  if (!version) {
    return unexpected(fmt::format("{} --version fails: {}; `{}` gets one that works", argv.front(),
                                  version.error().detail, names.installer));
  }
  engine.version = version->substr(0, version->find('\n'));
  return engine;
}

expected<UniqueFd, std::string> engine_module(const WasmBackend& wasm, const EngineProgram& engine,
                                              const std::string& folder, const ToolLimits& limits) {
  const auto content = content_of(wasm.module);
  if (!content) return unexpected(content.error());
  if (!content->starts_with(std::string_view("\0asm", 4))) {
    return unexpected(fmt::format("{} is no WebAssembly module", wasm.module));
  }
  if (wasm.mode == EngineMode::aot) return compiled(wasm, engine, *content, folder, limits);
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
  argv.insert(argv.end(),
              {"--memory-page-limit", std::to_string(memory_bytes_max / sandbox::wasm_page_bytes)});
  if (wasm.mode == EngineMode::jit) argv.emplace_back("--enable-jit");
  if (wasm.mode == EngineMode::interpreter) argv.emplace_back("--force-interpreter");
  return argv;
}

}  // namespace tollgate::gateway
