// What a host function sees of the guest that called it. Engine-neutral: the same functions serve every
// engine.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace tollgate::sandbox {

// The guest's linear memory during one host call. Every guest pointer goes through `range`; nothing else here
// checks bounds. The kernel must never be given these addresses (pages may be read-only until the first write
// from user space): copy.
class GuestMemory {
 public:
  GuestMemory(std::uint8_t* base, std::uint64_t bytes) : base_(base), bytes_(bytes) {}

  std::optional<std::span<std::uint8_t>> range(std::uint32_t address, std::uint64_t length) const {
    if (std::uint64_t{address} + length > bytes_) return std::nullopt;
    return std::span<std::uint8_t>(base_ + address, length);
  }

  template <class T>  // little-endian scalar
  std::optional<T> load(std::uint32_t address) const {
    const auto bytes = range(address, sizeof(T));
    if (!bytes) return std::nullopt;
    T value;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }

  template <class T>
  [[nodiscard]] bool store(std::uint32_t address, T value) const {
    const auto bytes = range(address, sizeof(T));
    if (!bytes) return false;
    std::memcpy(bytes->data(), &value, sizeof value);
    return true;
  }

 private:
  std::uint8_t* base_;
  std::uint64_t bytes_;
};

// One argument or result of a host function, in the slot layout of the engine's unchecked calls: arguments
// come in slots 0..n-1, the result goes into slot 0.
union HostValue {
  std::int32_t i32;
  std::int64_t i64;
  std::uint32_t u32;
  std::uint64_t u64;
  unsigned char raw[16];
};

enum class HostCall : std::uint8_t {
  done,  // the result is in slot 0
  end,   // the run ends here (proc_exit, a bound was passed): the context says why
  wait,  // suspend the guest; the function is called again with the same arguments when the run is resumed
};

class Preview1;  // one run's state: stdin, stdout, environment, descriptors (sandbox/wasi/preview1.hpp)

struct HostFunction {
  std::string_view name;
  std::string_view signature;  // "iIi:i": i = i32, I = i64; after the colon the result, if any
  HostCall (*call)(Preview1& state, GuestMemory memory, HostValue* slots) noexcept;
  // When it may answer `wait`; by_streams: only if Input::streams says that Source or Sink may.
  enum class Suspension : std::uint8_t { never, by_streams, possible } suspension = Suspension::never;
};

}  // namespace tollgate::sandbox
