// Numbers in memory that one thread writes and others, perhaps in another process, read at any time.
//
// The writer pays a plain load and a plain store: no lock prefix, no fence. All bytes zero is the start
// value, so a fresh mapping needs no construction. A reader in another process must treat what it finds as
// untrusted input.
#pragma once

#include <atomic>
#include <cstdint>

namespace tollgate {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// Only grows.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down.
class Gauge {
 public:
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  void raise() { set(get() + 1); }
  void lower() { set(get() - 1); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace tollgate
