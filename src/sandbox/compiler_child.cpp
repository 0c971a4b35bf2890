#include "sandbox/compiler_child.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/unprivileged.hpp"
#include "sandbox/bundle_file.hpp"
#include "sandbox/sha256.hpp"
#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/engine_handle.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::uint64_t descriptors_max = 64;

using CompiledHandle = std::unique_ptr<tollgate_compiled_t, EngineDeleter<tollgate_compiled_delete>>;

int fail(int code, std::string_view sentence) {
  while (!sentence.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, sentence.data(), sentence.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    sentence.remove_prefix(static_cast<std::size_t>(written));
  }
  return code;
}

// What the program itself takes: some megabytes, or with a sanitizer's shadow memory terabytes.
std::uint64_t address_space_in_use_bytes() {
  std::uint64_t pages = 0;
  char text[32];
  const UniqueFd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : 0;
  if (size > 0) std::from_chars(text, text + size, pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// After this the process has its three files, nobody's rights if we were root, and an end to the CPU time and
// memory it takes and to what it writes.
bool lock_down(const CompileTask& task) {
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  volunteer_for_the_oom_killer();
  const std::uint64_t file_bytes_max = task.output_bytes + task.memory_bytes_max;
  const std::uint64_t address_space_bytes_max = address_space_in_use_bytes() + task.address_space_bytes;
  return become_nobody() && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == task.parent &&
         lower_limit(RLIMIT_CORE, 0, 0) && lower_limit(RLIMIT_NOFILE, descriptors_max, descriptors_max) &&
         lower_limit(RLIMIT_FSIZE, file_bytes_max, file_bytes_max) &&
         // The soft limit sends SIGXCPU, which tells the parent what happened; a second later there is
         // SIGKILL.
         lower_limit(RLIMIT_CPU, task.cpu_seconds, task.cpu_seconds + 1) &&
         lower_limit(RLIMIT_AS, address_space_bytes_max, address_space_bytes_max);
}

class MappedStdin {
 public:
  MappedStdin() {
    struct stat status{};
    if (::fstat(STDIN_FILENO, &status) != 0) return;
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (mapped != MAP_FAILED) bytes_ = static_cast<const std::uint8_t*>(mapped);
  }
  bool failed() const { return size_ > 0 && bytes_ == nullptr; }
  std::span<const std::uint8_t> bytes() const { return {bytes_, size_}; }

 private:
  const std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
};

expected<CompiledHandle, std::string> compile_with(const wasm_engine_t& engine,
                                                   std::span<const std::uint8_t> module,
                                                   std::uint64_t memory_bytes_max) {
  std::vector<tollgate_host_function_t> functions;
  for (const HostFunction& function : preview1_functions()) {
    functions.push_back(
        {function.name.data(), function.name.size(), function.signature.data(), function.signature.size()});
  }
  const tollgate_compile_input_t input{module.data(), module.size(), functions.data(), functions.size(),
                                       memory_bytes_max};
  tollgate_compiled_t* compiled = nullptr;
  wasmtime_error_t* error = tollgate_engine_compile(&engine, &input, &compiled);
  if (error != nullptr) return unexpected(take_text(error));
  return CompiledHandle(compiled);
}

BundleContent content_of(const tollgate_compiled_t& compiled) {
  tollgate_compiled_view_t view;
  tollgate_compiled_facts(&compiled, &view);
  BundleContent content;
  content.manifest.entry = view.entry;
  content.manifest.memory_pages_min = view.memory_pages_min;
  content.manifest.memory_pages_max = view.memory_pages_max;
  content.code = {view.code, view.code_bytes};
  for (const auto& run : std::span(view.image_runs, view.image_runs_count)) {
    content.image.push_back({run.offset, {run.bytes, run.length}});
  }
  return content;
}

template <class Number>
bool parse(const char* text, Number& out) {
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), out);
  return error == std::errc() && end == view.data() + view.size();
}

}  // namespace

int compile_module(const CompileTask& task) {
  // First, so that a refusal to lock down can be told: the rest of this function trusts nothing it reads.
  if (!lock_down(task)) return fail(compile_exit_system, "the compiler could not lock itself down");
  const auto engine = make_compiling_engine();
  if (!engine) return fail(compile_exit_system, engine.error());
  const MappedStdin module;
  if (module.failed()) return fail(compile_exit_system, "the compiler could not read the module");

  const auto compiled = compile_with(**engine, module.bytes(), task.memory_bytes_max);
  if (!compiled) return fail(compile_exit_refused, compiled.error());
  BundleContent content = content_of(**compiled);
  if (content.code.size() > task.output_bytes) return compile_exit_output;
  content.manifest.format = manifest_format;
  content.manifest.module_digest = sha256_hex(module.bytes());
  content.manifest.engine = fingerprint_of(**engine);
  content.manifest.name = task.name;
  if (const auto written = write_bundle(STDOUT_FILENO, content); !written) {
    return fail(compile_exit_system, written.error());
  }
  return 0;
}

int compiler_child_main(int argc, const char* const* argv) {
  CompileTask task;
  if (argc != 8 || !parse(argv[3], task.memory_bytes_max) || !parse(argv[4], task.cpu_seconds) ||
      !parse(argv[5], task.address_space_bytes) || !parse(argv[6], task.output_bytes) ||
      !parse(argv[7], task.parent)) {
    return fail(compile_exit_system, "the compiler is started by tollgate itself, never by hand");
  }
  task.name = argv[2];
  return compile_module(task);
}

}  // namespace tollgate::sandbox
