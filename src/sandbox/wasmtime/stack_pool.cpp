#include "sandbox/wasmtime/stack_pool.hpp"

#include <sys/mman.h>

#include <utility>

namespace tollgate::sandbox {

StackPool::~StackPool() {
  for (const auto& stack : idle_) unmap(*stack);
}

std::unique_ptr<StackPool::Stack> StackPool::make(std::size_t bytes) {
  if (!budget_.take(stack_mappings)) return nullptr;
  void* reserved = ::mmap(nullptr, stack_guard_bytes + bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (reserved == MAP_FAILED) {
    budget_.give(stack_mappings);
    return nullptr;
  }
  std::uint8_t* const low = static_cast<std::uint8_t*>(reserved) + stack_guard_bytes;
  auto stack = std::make_unique<Stack>(Stack{.low = low, .bytes = bytes, .pool = this, .uses = 0});
  if (::mprotect(low, bytes, PROT_READ | PROT_WRITE) != 0) {
    unmap(*stack);
    return nullptr;
  }
  return stack;
}

void StackPool::unmap(const Stack& stack) {
  ::munmap(stack.low - stack_guard_bytes, stack_guard_bytes + stack.bytes);
  budget_.give(stack_mappings);
}

std::uint8_t* StackPool::take(std::size_t bytes, void** owner) {
  std::unique_ptr<Stack> stack;
  if (!idle_.empty() && idle_.back()->bytes == bytes) {
    stack = std::move(idle_.back());
    idle_.pop_back();
  } else {
    stack = make(bytes);
  }
  if (stack == nullptr) return nullptr;
  std::uint8_t* const low = stack->low;
  *owner = stack.release();
  return low;
}

void StackPool::put_back(void* owner) {
  std::unique_ptr<Stack> owned(static_cast<Stack*>(owner));
  StackPool& pool = *owned->pool;
  if (pool.idle_.size() >= idle_stacks_max) {
    pool.unmap(*owned);
    return;
  }
  if (++owned->uses % stack_trim_period == 0) {
    ::madvise(owned->low, owned->bytes - stack_bytes_kept, MADV_DONTNEED);
  }
  pool.idle_.push_back(std::move(owned));
}

}  // namespace tollgate::sandbox
