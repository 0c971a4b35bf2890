// fd_read and fd_write: the request body, the response body, the log; files by file_io.
#include <algorithm>

#include "sandbox/wasi/file_io.hpp"
#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

HostCall answer_count(HostValue* slots, GuestMemory memory, std::uint32_t address,
                      expected<std::uint32_t, Errno> count) {
  if (!count) return answer(slots, count.error());
  return answer(slots, memory.store(address, *count) ? Errno::success : Errno::fault);
}

HostCall read_input(Preview1& state, GuestMemory memory, HostValue* slots, const Iovecs& to) {
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < to.count(); ++i) {
    auto buffer = to.at(i);
    if (!buffer) return answer(slots, Errno::fault);
    while (!buffer->empty()) {
      const Source::Piece piece = state.input().body ? state.input().body->read(buffer->size())
                                                     : Source::Piece{Source::State::end, {}};
      if (piece.state == Source::State::later && total == 0) return state.wait_until(std::nullopt);
      if (piece.state != Source::State::ready || piece.bytes.empty()) {
        return answer_count(slots, memory, slots[3].u32, total);
      }
      const std::size_t bytes = std::min(piece.bytes.size(), buffer->size());
      std::memcpy(buffer->data(), piece.bytes.data(), bytes);
      total += static_cast<std::uint32_t>(bytes);
      *buffer = buffer->subspan(bytes);
    }
  }
  return answer_count(slots, memory, slots[3].u32, total);
}

HostCall write_output(Preview1& state, GuestMemory memory, HostValue* slots, const Iovecs& from) {
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < from.count(); ++i) {
    const auto buffer = from.at(i);
    if (!buffer) return answer(slots, Errno::fault);
    if (buffer->empty()) continue;
    if (state.output_bytes() + buffer->size() > state.input().limits.output_bytes_max)
      return state.end_by_output();
    const Sink::State said = state.sink().write(text(*buffer));
    if (said == Sink::State::refused) return state.end_by_output();
    if (said == Sink::State::full) {
      if (total == 0) return state.wait_until(std::nullopt);
      break;
    }
    state.count_output(buffer->size());
    total += static_cast<std::uint32_t>(buffer->size());
  }
  return answer_count(slots, memory, slots[3].u32, total);
}

HostCall write_log(Preview1& state, GuestMemory memory, HostValue* slots, const Iovecs& from) {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < from.count(); ++i) {
    const auto buffer = from.at(i);
    if (!buffer) return answer(slots, Errno::fault);
    state.log(text(*buffer));
    total += buffer->size();
  }
  // Buffers may overlap and so add up to more than a size can say.
  return answer_count(slots, memory, slots[3].u32,
                      static_cast<std::uint32_t>(std::min<std::uint64_t>(total, UINT32_MAX)));
}

}  // namespace

// (fd, iovs: iovec_array, count, nread: Pointer<size>)
HostCall fd_read(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const Descriptor::Kind kind = state.descriptors().kind(slots[0].u32);
  if (kind == Descriptor::Kind::closed) return answer(slots, Errno::badf);
  const auto to = Iovecs::load(memory, slots[1].u32, slots[2].u32);
  if (!to) return answer(slots, to.error());
  if (!memory.range(slots[3].u32, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  if (kind == Descriptor::Kind::input) return read_input(state, memory, slots, *to);
  if (kind == Descriptor::Kind::directory) return answer(slots, Errno::isdir);
  const auto file = state.descriptors().find(slots[0].u32, rights::fd_read);
  if (!file) return answer(slots, file.error());
  return answer_count(slots, memory, slots[3].u32, read_file(state.descriptors(), **file, *to, std::nullopt));
}

// (fd, iovs: ciovec_array, count, nwritten: Pointer<size>)
HostCall fd_write(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const Descriptor::Kind kind = state.descriptors().kind(slots[0].u32);
  if (kind == Descriptor::Kind::closed) return answer(slots, Errno::badf);
  const auto from = Iovecs::load(memory, slots[1].u32, slots[2].u32);
  if (!from) return answer(slots, from.error());
  if (!memory.range(slots[3].u32, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  if (kind == Descriptor::Kind::output) return write_output(state, memory, slots, *from);
  if (kind == Descriptor::Kind::error) return write_log(state, memory, slots, *from);
  if (kind == Descriptor::Kind::directory) return answer(slots, Errno::isdir);
  const auto file = state.descriptors().find(slots[0].u32, rights::fd_write);
  if (!file) return answer(slots, file.error());
  return answer_count(slots, memory, slots[3].u32,
                      write_file(state.descriptors(), **file, *from, std::nullopt));
}

}  // namespace tollgate::sandbox::wasi
