// The stacks guests run on: one per run, taken from here when it starts and given back when it is dropped, so
// that a request makes no system call for its stack.
//
// What one guest leaves on a stack is not wiped: a guest cannot read its native stack. Wasm has no address of
// it, and compiled code reads no spill slot that it has not written. Wiping would cost more than the rest of
// a request. A stack keeps its upper stack_bytes_kept; what a deep recursion touched below goes back to the
// kernel.
//
// Threads: one worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sandbox/memory/mapping_budget.hpp"

namespace tollgate::sandbox {

inline constexpr std::size_t wasm_stack_bytes = 512u << 10;   // a guest's own calls
inline constexpr std::size_t fiber_stack_bytes = 768u << 10;  // with what host functions need above them
inline constexpr std::size_t stack_guard_bytes = 64u << 10;
inline constexpr std::size_t stack_bytes_kept = 32u << 10;
inline constexpr std::uint32_t stack_trim_period = 512;  // uses of a stack between two trims
inline constexpr std::size_t idle_stacks_max = 256;
inline constexpr std::int32_t stack_mappings = 2;  // the stack and its guard

class StackPool {
 public:
  explicit StackPool(MappingBudget& budget) : budget_(budget) {}
  ~StackPool();  // no stack may be in use
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // The lowest byte of a stack of `bytes` (whole pages), and in *owner what gives it back. Null: the budget
  // of mappings is used up, or the kernel refused.
  std::uint8_t* take(std::size_t bytes, void** owner);
  static void put_back(void* owner);

  std::size_t idle() const { return idle_.size(); }

 private:
  struct Stack {
    std::uint8_t* low;  // above the guard
    std::size_t bytes;
    StackPool* pool;
    std::uint32_t uses;
  };

  std::unique_ptr<Stack> make(std::size_t bytes);
  void unmap(const Stack& stack);

  MappingBudget& budget_;
  std::vector<std::unique_ptr<Stack>> idle_;
};

}  // namespace tollgate::sandbox
