// Arguments, environment, and the end of the process.
#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

std::uint64_t bytes_with_terminators(std::span<const std::string_view> strings) {
  std::uint64_t bytes = strings.size();
  for (const std::string_view string : strings) bytes += string.size();
  return bytes;
}

// environ_sizes_get, args_sizes_get: (count: Pointer<size>, bytes: Pointer<size>)
Errno give_sizes(std::span<const std::string_view> strings, GuestMemory memory, const HostValue* slots) {
  const std::uint64_t bytes = bytes_with_terminators(strings);
  if (bytes > UINT32_MAX) return Errno::overflow;
  if (!memory.store<std::uint32_t>(slots[0].u32, static_cast<std::uint32_t>(strings.size())) ||
      !memory.store<std::uint32_t>(slots[1].u32, static_cast<std::uint32_t>(bytes))) {
    return Errno::fault;
  }
  return Errno::success;
}

// environ_get, args_get: (pointers: Pointer<Pointer<u8>>, buffer: Pointer<u8>)
Errno give_strings(std::span<const std::string_view> strings, GuestMemory memory, const HostValue* slots) {
  const auto pointers = memory.range(slots[0].u32, std::uint64_t{strings.size()} * sizeof(std::uint32_t));
  const auto buffer = memory.range(slots[1].u32, bytes_with_terminators(strings));
  if (!pointers || !buffer) return Errno::fault;
  std::uint8_t* pointer = pointers->data();
  std::uint8_t* to = buffer->data();
  std::uint32_t address = slots[1].u32;
  for (const std::string_view string : strings) {
    std::memcpy(pointer, &address, sizeof address);
    std::memcpy(to, string.data(), string.size());
    to[string.size()] = 0;
    pointer += sizeof address;
    to += string.size() + 1;
    address += static_cast<std::uint32_t>(string.size() + 1);
  }
  return Errno::success;
}

}  // namespace

HostCall args_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, give_strings(state.input().args, memory, slots));
}

HostCall args_sizes_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, give_sizes(state.input().args, memory, slots));
}

HostCall environ_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, give_strings(state.input().environment, memory, slots));
}

HostCall environ_sizes_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return answer(slots, give_sizes(state.input().environment, memory, slots));
}

HostCall proc_exit(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return state.end_by_exit(slots[0].u32);
}

// Denied: there is no process here that a signal could reach.
HostCall proc_raise(Preview1&, GuestMemory, HostValue* slots) noexcept {
  return answer(slots, Errno::notsup);
}

// A guest has one thread; its turn is taken from it at ticks, so there is nobody to yield to.
HostCall sched_yield(Preview1&, GuestMemory, HostValue* slots) noexcept {
  return answer(slots, Errno::success);
}

}  // namespace tollgate::sandbox::wasi
