#include "sandbox/wasmtime/stack_pool.hpp"

#include <sys/mman.h>

#include <utility>

namespace tollgate::sandbox {

StackPool::~StackPool() {
  for (const auto& stack : idle_) unmap(*stack);
}

wasmtime_stack_creator_t StackPool::creator() {
  return {.env = this, .new_stack = take, .finalizer = nullptr};
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

wasmtime_error_t* StackPool::take(void* self, std::size_t bytes, bool, wasmtime_stack_memory_t* out) {
  auto& pool = *static_cast<StackPool*>(self);
  std::unique_ptr<Stack> stack;
  if (!pool.idle_.empty() && pool.idle_.back()->bytes >= bytes) {
    stack = std::move(pool.idle_.back());
    pool.idle_.pop_back();
  } else {
    constexpr std::size_t page = 4096;
    stack = pool.make((bytes + page - 1) / page * page);
  }
  if (stack == nullptr) return wasmtime_error_new("no stack: the worker's budget of mappings is used up");
  *out = {.env = stack.release(), .get_stack_memory = top, .finalizer = put_back};
  return nullptr;
}

std::uint8_t* StackPool::top(void* stack, std::size_t* bytes) {
  const auto& s = *static_cast<const Stack*>(stack);
  *bytes = s.bytes;
  return s.low + s.bytes;
}

void StackPool::put_back(void* stack) {
  std::unique_ptr<Stack> owned(static_cast<Stack*>(stack));
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
