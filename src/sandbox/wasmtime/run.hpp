// One request in its own Store and Instance.
//
// A run is one of the engine's futures (tollgate_run.h), resumed slice by slice on a fiber. Its first slice
// makes the sandbox: the engine asks for the memory, then for the fiber's stack, then enters the guest.
// Around each slice this class tells the fault handler which slot is running and the ticker that a guest is,
// and charges the CPU time.
//
// CPU time. Reading the thread's CPU clock is a system call, reading the interval clock is not. So the first
// slice is charged by the interval clock, at most EpochTicker::first_slice_max() of it (the thread may have
// been preempted); only guests that need a second slice pay for the thread's clock. Ticks are seen at loop
// heads and function entries. One bulk operation (memory.fill, memory.copy, table.fill) runs to its end
// without a check; its cost is bounded by the route's memory limit (docs/sandbox.md has figures).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/interval_clock.hpp"
#include "sandbox/epoch_ticker.hpp"
#include "sandbox/memory/slot.hpp"
#include "sandbox/program.hpp"
#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/program.hpp"
#include "tollgate_run.h"

namespace tollgate::sandbox {

class WasmtimeRun final : public Run {
 public:
  // `program` outlives the run.
  WasmtimeRun(WasmtimeProgram& program, const Input& input, Sink& sink);
  ~WasmtimeRun() override;

  State resume() override;
  void cancel() override { cancelled_ = true; }
  std::optional<SteadyTime> wake_at() const override;
  Outcome take_outcome() override;

  // From the engine: while it makes this run's sandbox, while the guest grows its memory, and when the Store
  // goes. The memory's owner is the run. Null: refused.
  std::uint8_t* make_memory(std::size_t initial_bytes, void** owner);
  std::uint8_t* make_stack(std::size_t bytes, void** owner);
  static bool grow_memory(void* owner, std::size_t bytes);
  static void drop_memory(void* owner);

  // A host function, called by the guest of `run`.
  static std::uint8_t host_call(void* run, const void* function, wasmtime_val_raw_t* slots);

 private:
  tollgate_run_state_t begin(wasmtime_error_t** error);
  tollgate_run_state_t enter_again(wasmtime_error_t** error);
  void end(tollgate_run_state_t state, wasmtime_error_t* error);
  void end(Ending ending) { ending_ = ending; }
  Ending ending_of_host() const;
  void tear_down();

  WasmtimeProgram& program_;
  Preview1 preview1_;
  tollgate_run_context context_;
  tollgate_run run_{};
  Slot* slot_ = nullptr;
  bool alive_ = false;  // run_ must be deleted
  bool cancelled_ = false;
  bool waiting_ = false;
  bool no_capacity_ = false;
  std::optional<Ending> ending_;
  int exit_code_ = 0;
  IntervalClock::Instant entered_at_{};  // the guest, for the first time
  IntervalClock::Instant left_at_{};     // the guest; teardown counts from there, for one look less
  std::string detail_;
  std::chrono::nanoseconds cpu_max_;
  Costs costs_;
};

}  // namespace tollgate::sandbox
