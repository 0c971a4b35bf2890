#include "sandbox/testing/guests.hpp"

#include <sys/mman.h>
#include <tollgate_engine.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox::testing {

namespace {
[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "test guest: %s\n", why.c_str());
  std::abort();
}

void check(wasmtime_error_t* error) {
  if (error != nullptr) fail(take_text(error));
}

void write_at(int fd, const std::uint8_t* bytes, std::size_t length, std::uint64_t offset) {
  if (::pwrite(fd, bytes, length, static_cast<off_t>(offset)) != static_cast<ssize_t>(length)) fail("pwrite");
}
}  // namespace

std::string assemble(std::string_view wat) {
  wasm_byte_vec_t bytes;
  check(wasmtime_wat2wasm(wat.data(), wat.size(), &bytes));
  std::string wasm(bytes.data, bytes.size);
  wasm_byte_vec_delete(&bytes);
  return wasm;
}

std::string read_wasm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

BundleFds compile(WasmtimeEngine& engine, std::string_view wasm, std::string name) {
  std::vector<tollgate_host_function_t> functions;
  for (const HostFunction& function : preview1_functions()) {
    functions.push_back(
        {function.name.data(), function.name.size(), function.signature.data(), function.signature.size()});
  }
  const tollgate_compile_input_t input{.wasm = reinterpret_cast<const std::uint8_t*>(wasm.data()),
                                       .wasm_bytes = wasm.size(),
                                       .functions = functions.data(),
                                       .functions_count = functions.size(),
                                       .memory_bytes_max = std::uint64_t{4} << 30};
  tollgate_compiled_t* compiled = nullptr;
  check(tollgate_engine_compile(engine.raw(), &input, &compiled));
  tollgate_compiled_view_t facts;
  tollgate_compiled_facts(compiled, &facts);

  BundleFds bundle;
  bundle.manifest.name = std::move(name);
  bundle.manifest.entry = facts.entry;
  bundle.manifest.memory_pages_min = facts.memory_pages_min;
  bundle.manifest.memory_pages_max = facts.memory_pages_max;
  bundle.manifest.code_bytes = facts.code_bytes;
  bundle.code.reset(::memfd_create("code", MFD_CLOEXEC));
  write_at(bundle.code.get(), facts.code, facts.code_bytes, 0);
  if (facts.image_runs_count > 0) {
    bundle.manifest.image_bytes = facts.memory_pages_min * (64u << 10);
    bundle.image.reset(::memfd_create("image", MFD_CLOEXEC));
    if (::ftruncate(bundle.image.get(), static_cast<off_t>(bundle.manifest.image_bytes)) != 0)
      fail("ftruncate");
    for (std::size_t i = 0; i < facts.image_runs_count; ++i) {
      const tollgate_image_run_t& run = facts.image_runs[i];
      write_at(bundle.image.get(), run.bytes, run.length, run.offset);
    }
  }
  tollgate_compiled_delete(compiled);
  return bundle;
}

std::shared_ptr<Program> load_text(WasmtimeEngine& engine, std::string_view wat) {
  auto program = engine.load(compile(engine, assemble(wat)));
  if (!program) fail(program.error());
  return std::move(*program);
}

namespace {
class WasmtimeUnderTest final : public EngineUnderTest::Instance {
 public:
  WasmtimeUnderTest() {
    auto made = WasmtimeEngine::create();
    if (!made) fail(made.error());
    engine_ = std::move(*made);
  }
  std::shared_ptr<Program> load(std::string_view wat) override { return load_text(*engine_, wat); }

 private:
  std::unique_ptr<WasmtimeEngine> engine_;
};
}  // namespace

std::vector<EngineUnderTest> engines() {
  return {{"wasmtime", []() -> std::unique_ptr<EngineUnderTest::Instance> {
             return std::make_unique<WasmtimeUnderTest>();
           }}};
}

Finished run(Program& program, std::string_view body, Limits limits,
             std::vector<std::string_view> environment) {
  Finished finished;
  Body source(body);
  Collected sink;
  const std::string_view args[] = {"guest"};
  const Input input{
      .body = &source, .args = args, .environment = environment, .directories = {}, .limits = limits};
  const std::unique_ptr<Run> running = program.start(input, sink);
  for (Run::State state = Run::State::runnable; state != Run::State::ended;) {
    state = running->resume();
    ++finished.slices;
    if (state == Run::State::waiting) {
      const auto until = running->wake_at();
      if (!until) fail("waits for nobody");
      std::this_thread::sleep_until(*until);
    }
  }
  finished.outcome = running->take_outcome();
  finished.out = std::move(sink.out);
  finished.err = std::move(sink.err);
  return finished;
}

}  // namespace tollgate::sandbox::testing
