// First writes to slots become hot pages here: the process's SIGSEGV handler, and the one word of state it
// trusts.
//
// The handler serves exactly one slot: that of the sandbox now running on this thread, told by RunningSlot. A
// fault anywhere else, another sandbox's slot included, goes to the handler that was there before (the
// engine's, which makes a trap of it, or ends the process).
#pragma once

#include <atomic>
#include <utility>

namespace tollgate::sandbox {

class Slot;

namespace detail {
extern constinit thread_local Slot* running_slot;
}

// Installs the handler, once per process, after the engine has installed its own. False with errno set when
// the kernel refuses.
[[nodiscard]] bool install_fault_handler();

// While it lives, first writes to `slot` are served. Nests. Null: none are. The fences keep the compiler from
// moving writes to the slot past the word that the handler reads.
class RunningSlot {
 public:
  explicit RunningSlot(Slot* slot) : previous_(std::exchange(detail::running_slot, slot)) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~RunningSlot() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    detail::running_slot = previous_;
  }
  RunningSlot(const RunningSlot&) = delete;
  RunningSlot& operator=(const RunningSlot&) = delete;

  // A slot that comes into being while the guard lives: the memory of an instance in the making.
  static void replace(Slot* slot) {
    detail::running_slot = slot;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  Slot* previous_;
};

// The stack signal handlers of one thread run on. The engine asks for 256 KiB, and would make its own
// otherwise.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;
};

}  // namespace tollgate::sandbox
