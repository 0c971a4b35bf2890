#include "sandbox/memory/fault_handler.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "sandbox/memory/slot.hpp"

namespace tollgate::sandbox {

constinit thread_local Slot* detail::running_slot = nullptr;

namespace {
constexpr std::size_t signal_stack_bytes = 256u << 10;

struct sigaction previous_action;

void pass_on(int signal, siginfo_t* info, void* context) {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    // Nobody else cares: the instruction faults again, and then by default ends the process.
    std::signal(signal, SIG_DFL);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  Slot* const slot = detail::running_slot;
  const bool served = slot != nullptr && info->si_code == SEGV_ACCERR && slot->make_writable(info->si_addr);
  errno = saved_errno;
  if (!served) pass_on(signal, info, context);
}
}  // namespace

bool install_fault_handler() {
  static std::atomic<bool> installed = false;
  if (installed.exchange(true)) return true;
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  return ::sigaction(SIGSEGV, &action, &previous_action) == 0;
}

SignalStack::SignalStack() {
  void* memory =
      ::mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = signal_stack_bytes;
  if (::sigaltstack(&stack, nullptr) == 0) {
    memory_ = memory;
  } else {
    ::munmap(memory, signal_stack_bytes);
  }
}

SignalStack::~SignalStack() {
  if (memory_ == nullptr) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(memory_, signal_stack_bytes);
}

}  // namespace tollgate::sandbox
