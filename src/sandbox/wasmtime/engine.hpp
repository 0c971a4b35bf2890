// Wasmtime behind sandbox/engine.hpp: memories from the hot-set slots of sandbox/memory/, guests on fibers
// with pooled stacks, slices ended by the epoch ticker.
//
// Threads: made, used and destroyed on a worker's one thread.
#pragma once

#include <wasmtime.h>

#include <memory>
#include <string>

#include "base/interval_clock.hpp"
#include "sandbox/engine.hpp"
#include "sandbox/epoch_ticker.hpp"
#include "sandbox/memory/fault_handler.hpp"
#include "sandbox/memory/mapping_budget.hpp"
#include "sandbox/wasmtime/stack_pool.hpp"
#include "tollgate_run.h"

namespace tollgate::sandbox {

struct WasmtimeOptions {
  // Of the kernel's mappings, what this worker's programs and sandboxes may use.
  std::uint32_t mappings_max = mappings_for_sandboxes(read_kernel_mappings());
};

// One sandbox's use of tables, in elements of 8 bytes: they are not part of its linear memory.
inline constexpr std::uint64_t table_elements_max = 1u << 20;

class WasmtimeRun;

class WasmtimeEngine final : public Engine {
 public:
  static expected<std::unique_ptr<WasmtimeEngine>, std::string> create(WasmtimeOptions options = {});
  ~WasmtimeEngine() override;

  expected<std::shared_ptr<Program>, std::string> load(BundleFds bundle) override;

  // A module compiled in this process, its data segments where the compiler left them: for tests.
  expected<std::shared_ptr<Program>, std::string> load_module(wasmtime_module_t* module, Manifest manifest,
                                                              UniqueFd image);

  wasm_engine_t* raw() const { return engine_.get(); }
  EpochTicker& ticker() { return *ticker_; }
  MappingBudget& budget() { return budget_; }
  StackPool& stacks() { return stacks_; }
  IntervalClock& clock() { return clock_; }

  // While it lives, the engine's calls for a memory and a stack are for `run`.
  class Instantiating {
   public:
    Instantiating(WasmtimeEngine& engine, WasmtimeRun& run) : engine_(engine) {
      engine.instantiating_ = &run;
    }
    ~Instantiating() { engine_.instantiating_ = nullptr; }
    Instantiating(const Instantiating&) = delete;
    Instantiating& operator=(const Instantiating&) = delete;

   private:
    WasmtimeEngine& engine_;
  };

 private:
  explicit WasmtimeEngine(WasmtimeOptions options) : budget_(options.mappings_max), stacks_(budget_) {}
  template <auto Delete>
  struct Deleter {
    void operator()(auto* object) const { Delete(object); }
  };

  IntervalClock clock_;
  MappingBudget budget_;
  StackPool stacks_;
  SignalStack signal_stack_;
  std::unique_ptr<wasm_engine_t, Deleter<wasm_engine_delete>> engine_;
  std::unique_ptr<tollgate_linkers, Deleter<tollgate_linkers_delete>> linkers_;
  std::unique_ptr<EpochTicker> ticker_;
  WasmtimeRun* instantiating_ = nullptr;
};

}  // namespace tollgate::sandbox
