// What a fresh sandbox costs, alone: no HTTP, one thread, CPU time. The baseline is the same engine as stock
// hosts configure it (the pooling allocator's defaults, synchronous calls through the C API, the module as
// its toolchain made it), in the same program and run.
//
//   build/release/sandbox_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <tollgate_engine.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sandbox/testing/guests.hpp"
#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::string_view body = "hello";

std::string guest_path(std::string_view name) {
  return std::string(TOLLGATE_SOURCE_DIR "/guests/out/") + std::string(name) + ".wasm";
}

WasmtimeEngine& engine() {
  static const std::unique_ptr<WasmtimeEngine> made = std::move(*WasmtimeEngine::create());
  return *made;
}

// Reads all of stdin and writes it, as the gateway study's guest does, with `data_bytes` of initialised data.
std::string echo_text(std::size_t data_bytes) {
  return R"((module
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 20)
    (data (i32.const 131072) ")" +
         std::string(data_bytes, 'd') + R"(")
    (func (export "_start")
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";
}

class Discard final : public Sink {
 public:
  State write(std::string_view bytes) override {
    bytes_ += bytes.size();
    return State::accepted;
  }
  void log(std::string_view) override {}

  std::size_t bytes_ = 0;
};

std::vector<std::string> environment_of(std::size_t variables) {
  std::vector<std::string> made;
  for (std::size_t i = 0; i < variables; ++i)
    made.push_back("HTTP_X_HEADER_" + std::to_string(i) + "=some value");
  return made;
}

Costs run_once(Program& program, const std::vector<std::string_view>& environment) {
  static const std::string_view args[] = {"guest"};
  testing::Body source(body);
  Discard sink;
  const Input input{
      .body = &source, .args = args, .environment = environment, .directories = {}, .limits = {}};
  const std::unique_ptr<Run> run = program.start(input, sink);
  while (run->resume() != Run::State::ended) {
  }
  const Outcome outcome = run->take_outcome();
  if (outcome.ending != Ending::done || sink.bytes_ < body.size()) {
    std::fprintf(stderr, "bench guest: %s\n", outcome.detail.c_str());
    std::abort();
  }
  return outcome.costs;
}

void measure(benchmark::State& state, Program& program, std::size_t variables) {
  const std::vector<std::string> owned = environment_of(variables);
  const std::vector<std::string_view> environment(owned.begin(), owned.end());
  Costs sum;
  for (auto _ : state) {
    const Costs costs = run_once(program, environment);
    sum.instantiate += costs.instantiate;
    sum.run += costs.run;
    sum.teardown += costs.teardown;
    sum.hot_pages = costs.hot_pages;
  }
  const auto each = [&](std::chrono::nanoseconds total) {
    return benchmark::Counter(static_cast<double>(total.count()), benchmark::Counter::kAvgIterations);
  };
  state.counters["instantiate_ns"] = each(sum.instantiate);
  state.counters["run_ns"] = each(sum.run);
  state.counters["teardown_ns"] = each(sum.teardown);
  state.counters["hot_pages"] = sum.hot_pages;
}

void fresh_guest(benchmark::State& state, const char* name) {
  const std::string wasm = testing::read_wasm(guest_path(name));
  if (wasm.empty()) return state.SkipWithError("guests/build has not been run");
  const auto program = engine().load(testing::compile(engine(), wasm, name));
  measure(state, **program, static_cast<std::size_t>(state.range(0)));
}
BENCHMARK_CAPTURE(fresh_guest, c, "gateway_wasm_c")->ArgName("environment")->Arg(0)->Arg(10)->Arg(40);
BENCHMARK_CAPTURE(fresh_guest, rust, "gateway_wasm_rust")->ArgName("environment")->Arg(0)->Arg(10)->Arg(40);

void fresh_guest_with_data(benchmark::State& state) {
  const auto program = testing::load_text(engine(), echo_text(static_cast<std::size_t>(state.range(0))));
  measure(state, *program, 0);
}
BENCHMARK(fresh_guest_with_data)->ArgName("bytes")->Arg(0)->Arg(1 << 20);

// The same work in this process while others do it on other cores, or do no more there than use them: cores
// of a virtual machine may be threads of one physical core.
void fresh_guest_in_processes(benchmark::State& state) {
  const auto sandboxes = static_cast<unsigned>(state.range(0)) - 1;
  const auto others = sandboxes + static_cast<unsigned>(state.range(1));
  if (std::thread::hardware_concurrency() < others + 1)
    return state.SkipWithError("fewer cores than processes");
  const std::string wasm = testing::read_wasm(guest_path("gateway_wasm_rust"));
  if (wasm.empty()) return state.SkipWithError("guests/build has not been run");
  std::vector<pid_t> children;
  const auto program = engine().load(testing::compile(engine(), wasm, "rust"));
  for (unsigned i = 0; i < others; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) {
      for (std::uint64_t turn = 0;; benchmark::DoNotOptimize(++turn)) {
        if (i < sandboxes) run_once(**program, {});
      }
    }
  }
  measure(state, **program, 0);
  for (const pid_t child : children) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
}
BENCHMARK(fresh_guest_in_processes)
    ->ArgNames({"sandboxes", "spinners"})
    ->Args({1, 0})
    ->Args({3, 0})
    ->Args({1, 2});

void load_of_a_compiled_program(benchmark::State& state) {
  const std::string wasm = testing::read_wasm(guest_path("gateway_wasm_rust"));
  if (wasm.empty()) return state.SkipWithError("guests/build has not been run");
  const BundleFds bundle = testing::compile(engine(), wasm, "rust");
  for (auto _ : state) {
    BundleFds copy{bundle.manifest, UniqueFd(::dup(bundle.code.get())), UniqueFd(::dup(bundle.image.get()))};
    benchmark::DoNotOptimize(engine().load(std::move(copy)));
  }
}
BENCHMARK(load_of_a_compiled_program);

// ---- the baseline

void check(wasmtime_error_t* error, wasm_trap_t* trap = nullptr) {
  if (error == nullptr && trap == nullptr) return;
  std::fprintf(stderr, "baseline: %s\n", error != nullptr ? take_text(error).c_str() : "trap");
  std::abort();
}

wasm_functype_t* function_type(std::string_view signature) {
  std::vector<wasm_valtype_t*> sides[2];
  std::size_t side = 0;
  for (const char letter : signature) {
    if (letter == ':') {
      side = 1;
    } else {
      sides[side].push_back(wasm_valtype_new(letter == 'I' ? WASM_I64 : WASM_I32));
    }
  }
  wasm_valtype_vec_t parameters;
  wasm_valtype_vec_t results;
  wasm_valtype_vec_new(&parameters, sides[0].size(), sides[0].data());
  wasm_valtype_vec_new(&results, sides[1].size(), sides[1].data());
  return wasm_functype_new(&parameters, &results);
}

struct PoolingHost {
  struct Request {
    Preview1* preview1;
    wasmtime_memory_t memory;
  };

  PoolingHost() {
    const tollgate_engine_options_t options{};
    wasmtime_error_t* error = nullptr;
    engine = tollgate_engine_new(TOLLGATE_ENGINE_POOLING_DEFAULT, &options, &error);
    check(error);
    linker = wasmtime_linker_new(engine);
    for (const HostFunction& function : preview1_functions()) {
      wasm_functype_t* const type = function_type(function.signature);
      check(wasmtime_linker_define_func_unchecked(linker, preview1_module.data(), preview1_module.size(),
                                                  function.name.data(), function.name.size(), type, call,
                                                  const_cast<HostFunction*>(&function), nullptr));
      wasm_functype_delete(type);
    }
  }

  static wasm_trap_t* call(void* function, wasmtime_caller_t* caller, wasmtime_val_raw_t* slots,
                           std::size_t) noexcept {
    wasmtime_context_t* const context = wasmtime_caller_context(caller);
    auto& request = *static_cast<Request*>(wasmtime_context_get_data(context));
    const GuestMemory memory(wasmtime_memory_data(context, &request.memory),
                             wasmtime_memory_data_size(context, &request.memory));
    const HostCall answer = static_cast<const HostFunction*>(function)->call(
        *request.preview1, memory, reinterpret_cast<HostValue*>(slots));
    return answer == HostCall::done ? nullptr : wasmtime_trap_new("ended", 5);
  }

  void run_once(wasmtime_instance_pre_t* pre, const std::vector<std::string_view>& environment) {
    static const std::string_view args[] = {"guest"};
    testing::Body source(body);
    Discard sink;
    const Input input{
        .body = &source, .args = args, .environment = environment, .directories = {}, .limits = {}};
    Preview1 preview1(input, sink);
    Request request{&preview1, {}};
    wasmtime_store_t* const store = wasmtime_store_new(engine, &request, nullptr);
    wasmtime_context_t* const context = wasmtime_store_context(store);
    wasmtime_store_limiter(store, 128 << 20, table_elements_max, 1, 64, 1);
    wasmtime_context_set_epoch_deadline(context, 1000);
    wasmtime_instance_t instance;
    wasm_trap_t* trap = nullptr;
    check(wasmtime_instance_pre_instantiate(pre, context, &instance, &trap), trap);
    wasmtime_extern_t item;
    wasmtime_instance_export_get(context, &instance, "memory", 6, &item);
    request.memory = item.of.memory;
    wasmtime_instance_export_get(context, &instance, "_start", 6, &item);
    wasmtime_val_raw_t none{};
    check(wasmtime_func_call_unchecked(context, &item.of.func, &none, 1, &trap), trap);
    wasmtime_store_delete(store);
    if (sink.bytes_ < body.size()) std::abort();
  }

  wasm_engine_t* engine;
  wasmtime_linker_t* linker;
};

void pooling(benchmark::State& state, const std::string& wasm, std::size_t variables) {
  static PoolingHost host;
  wasmtime_module_t* module = nullptr;
  check(wasmtime_module_new(host.engine, reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size(),
                            &module));
  wasmtime_instance_pre_t* pre = nullptr;
  check(wasmtime_linker_instantiate_pre(host.linker, module, &pre));
  const std::vector<std::string> owned = environment_of(variables);
  const std::vector<std::string_view> environment(owned.begin(), owned.end());
  for (auto _ : state) host.run_once(pre, environment);
  wasmtime_instance_pre_delete(pre);
  wasmtime_module_delete(module);
}

void pooling_default(benchmark::State& state, const char* name) {
  const std::string wasm = testing::read_wasm(guest_path(name));
  if (wasm.empty()) return state.SkipWithError("guests/build has not been run");
  pooling(state, wasm, static_cast<std::size_t>(state.range(0)));
}
BENCHMARK_CAPTURE(pooling_default, c, "gateway_wasm_c")->ArgName("environment")->Arg(0)->Arg(10)->Arg(40);
BENCHMARK_CAPTURE(pooling_default, rust, "gateway_wasm_rust")
    ->ArgName("environment")
    ->Arg(0)
    ->Arg(10)
    ->Arg(40);

void pooling_default_with_data(benchmark::State& state) {
  pooling(state, testing::assemble(echo_text(static_cast<std::size_t>(state.range(0)))), 0);
}
BENCHMARK(pooling_default_with_data)->ArgName("bytes")->Arg(0)->Arg(1 << 20);

}  // namespace
}  // namespace tollgate::sandbox
