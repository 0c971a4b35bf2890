// The buffers of a scattered read or gathered write ($iovec_array, $ciovec_array) in a guest's memory.
#pragma once

#include <optional>
#include <span>

#include "base/expected.hpp"
#include "sandbox/guest.hpp"
#include "sandbox/wasi/errno.hpp"
#include "sandbox/wasi/layout.hpp"
#include "sandbox/wasi/limits.hpp"

namespace tollgate::sandbox::wasi {

class Iovecs {
 public:
  // Checks the count, the array and every buffer, so that a call with one bad buffer moves no byte at all.
  static expected<Iovecs, Errno> load(GuestMemory memory, std::uint32_t array, std::uint32_t count) {
    if (count > iovecs_max) return unexpected(Errno::inval);
    const Iovecs all(memory, array, count);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!all.at(i)) return unexpected(Errno::fault);
    }
    return all;
  }

  std::uint32_t count() const { return count_; }

  // Reads the array anew and checks again: a read into an earlier buffer may have changed it.
  std::optional<std::span<std::uint8_t>> at(std::uint32_t index) const {
    const std::uint64_t entry = std::uint64_t{array_} + std::uint64_t{index} * iovec_layout::size;
    if (entry > UINT32_MAX) return std::nullopt;
    const auto bytes = memory_.range(static_cast<std::uint32_t>(entry), iovec_layout::size);
    if (!bytes) return std::nullopt;
    std::uint32_t fields[2];
    std::memcpy(fields, bytes->data(), sizeof fields);
    return memory_.range(fields[0], fields[1]);
  }

 private:
  Iovecs(GuestMemory memory, std::uint32_t array, std::uint32_t count)
      : memory_(memory), array_(array), count_(count) {}

  GuestMemory memory_;
  std::uint32_t array_;
  std::uint32_t count_;
};

inline std::string_view text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tollgate::sandbox::wasi
