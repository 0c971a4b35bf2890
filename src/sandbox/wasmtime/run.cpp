#include "sandbox/wasmtime/run.hpp"

#include <ctime>
#include <utility>

#include "sandbox/memory/fault_handler.hpp"
#include "sandbox/wasmtime/engine.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox {

namespace {
std::chrono::nanoseconds thread_cpu_time() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}
}  // namespace

static_assert(TOLLGATE_HOST_DONE == static_cast<int>(HostCall::done));
static_assert(TOLLGATE_HOST_END == static_cast<int>(HostCall::end));
static_assert(TOLLGATE_HOST_WAIT == static_cast<int>(HostCall::wait));
static_assert(sizeof(HostValue) == sizeof(wasmtime_val_raw_t));

WasmtimeRun::WasmtimeRun(WasmtimeProgram& program, const Input& input, Sink& sink)
    : program_(program),
      preview1_(input, sink),
      context_{.host = this,
               .memory_bytes_max = input.limits.memory_bytes_max,
               .table_elements_max = table_elements_max,
               .growth_refused = false,
               .streams_at_hand = input.streams == Streams::at_hand},
      cpu_max_(input.limits.cpu_max) {}

WasmtimeRun::~WasmtimeRun() {
  tear_down();
}

std::uint8_t* WasmtimeRun::make_memory(std::size_t initial_bytes, void** owner) {
  // One memory, of the size that the manifest tells: the compiler has checked both.
  if (slot_ != nullptr || initial_bytes != program_.slots().initial_bytes()) return nullptr;
  auto slot = program_.slots().acquire();
  if (!slot) {
    no_capacity_ = true;
    return nullptr;
  }
  slot_ = *slot;
  RunningSlot::replace(slot_);
  *owner = this;
  return slot_->base();
}

// The last thing the engine asks for before it enters the guest.
std::uint8_t* WasmtimeRun::make_stack(std::size_t bytes, void** owner) {
  std::uint8_t* const stack = program_.engine().stacks().take(bytes, owner);
  no_capacity_ = stack == nullptr;
  entered_at_ = program_.engine().clock().now();
  return stack;
}

bool WasmtimeRun::grow_memory(void* owner, std::size_t bytes) {
  return static_cast<WasmtimeRun*>(owner)->slot_->grow(bytes);
}

void WasmtimeRun::drop_memory(void* owner) {
  auto& self = *static_cast<WasmtimeRun*>(owner);
  self.costs_.hot_pages = static_cast<std::uint32_t>(self.slot_->hot().size());
  self.costs_.memory_bytes = self.slot_->bytes();
  self.program_.slots().release(std::exchange(self.slot_, nullptr));
}

std::uint8_t WasmtimeRun::host_call(void* run, const void* function, wasmtime_val_raw_t* slots) {
  auto& self = *static_cast<WasmtimeRun*>(run);
  const GuestMemory memory =
      self.slot_ != nullptr ? GuestMemory(self.slot_->base(), self.slot_->bytes()) : GuestMemory(nullptr, 0);
  const HostCall answer = static_cast<const HostFunction*>(function)->call(
      self.preview1_, memory, reinterpret_cast<HostValue*>(slots));
  self.waiting_ = answer == HostCall::wait;
  return static_cast<std::uint8_t>(answer);
}

tollgate_run_state_t WasmtimeRun::begin(wasmtime_error_t** error) {
  IntervalClock& clock = program_.engine().clock();
  const auto begun = clock.now();
  entered_at_ = begun;
  alive_ = true;
  tollgate_run_state_t state;
  {
    const WasmtimeEngine::Instantiating instantiating(program_.engine(), *this);
    const RunningSlot none_yet(nullptr);  // until make_memory
    const EpochTicker::Slice slice(program_.engine().ticker());
    state = tollgate_run_begin(program_.raw(), &context_, &run_, error);
  }
  left_at_ = clock.now();
  costs_.instantiate = clock.between(begun, entered_at_);
  costs_.run = clock.between(entered_at_, left_at_);
  costs_.cpu = std::min(costs_.run, program_.engine().ticker().first_slice_max());
  return state;
}

tollgate_run_state_t WasmtimeRun::enter_again(wasmtime_error_t** error) {
  const auto cpu_begun = thread_cpu_time();
  IntervalClock& clock = program_.engine().clock();
  const auto begun = clock.now();
  tollgate_run_state_t state;
  {
    const RunningSlot running(slot_);
    const EpochTicker::Slice slice(program_.engine().ticker());
    state = tollgate_run_resume(&run_, error);
  }
  left_at_ = clock.now();
  costs_.run += clock.between(begun, left_at_);
  costs_.cpu += thread_cpu_time() - cpu_begun;
  return state;
}

Run::State WasmtimeRun::resume() {
  if (ending_) return State::ended;
  if (cancelled_) {
    end(Ending::cancelled);
    return State::ended;
  }
  waiting_ = false;
  wasmtime_error_t* error = nullptr;
  const tollgate_run_state_t state = alive_ ? enter_again(&error) : begin(&error);
  if (state != TOLLGATE_RUN_SUSPENDED) {
    end(state, error);
    return State::ended;
  }
  if (costs_.cpu >= cpu_max_) {
    end(Ending::cpu);
    return State::ended;
  }
  if (waiting_) return State::waiting;
  program_.engine().ticker().slice_was_cut();
  return State::runnable;
}

std::optional<SteadyTime> WasmtimeRun::wake_at() const {
  return waiting_ ? preview1_.wake_at() : std::nullopt;
}

Ending WasmtimeRun::ending_of_host() const {
  switch (preview1_.end()) {
    case Preview1::End::exit:
      return preview1_.exit_code() == 0 ? Ending::done : Ending::exit_code;
    case Preview1::End::output:
      return Ending::output;
    case Preview1::End::none:
      break;
  }
  return Ending::engine;
}

void WasmtimeRun::end(tollgate_run_state_t state, wasmtime_error_t* error) {
  detail_ = take_text(error);
  switch (state) {
    case TOLLGATE_RUN_RETURNED:
      ending_ = Ending::done;
      break;
    case TOLLGATE_RUN_ENDED:
      ending_ = ending_of_host();
      exit_code_ = static_cast<int>(preview1_.exit_code());
      break;
    case TOLLGATE_RUN_TRAPPED:
      ending_ = Ending::trap;
      break;
    default:
      ending_ = no_capacity_ ? Ending::capacity : Ending::engine;
      break;
  }
  const bool failed = ending_ == Ending::trap || ending_ == Ending::exit_code || ending_ == Ending::engine;
  if (failed && context_.growth_refused) ending_ = Ending::memory;
}

void WasmtimeRun::tear_down() {
  if (!std::exchange(alive_, false)) return;
  tollgate_run_delete(&run_);
}

Outcome WasmtimeRun::take_outcome() {
  tear_down();
  IntervalClock& clock = program_.engine().clock();
  costs_.teardown = clock.between(left_at_, clock.now());
  return {.ending = ending_.value_or(Ending::engine),
          .exit_code = exit_code_,
          .detail = std::move(detail_),
          .costs = costs_};
}

}  // namespace tollgate::sandbox
