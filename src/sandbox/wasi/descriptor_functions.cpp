// Functions about descriptors themselves, whatever they stand for; and sockets, of which there are none.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "sandbox/wasi/filestat.hpp"
#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

FileType file_type_of(const Descriptor& descriptor) {
  switch (descriptor.kind) {
    case Descriptor::Kind::file:
      return FileType::regular_file;
    case Descriptor::Kind::directory:
      return FileType::directory;
    // Streams are pipes, for which there is no $filetype. Not a character device: C libraries would take
    // stdout for a terminal and flush at every line.
    default:
      return FileType::unknown;
  }
}

HostCall deny_socket(Preview1& state, HostValue* slots) {
  const bool open = state.descriptors().kind(slots[0].u32) != Descriptor::Kind::closed;
  return answer(slots, open ? Errno::notsock : Errno::badf);
}

}  // namespace

HostCall fd_close(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return answer(slots, state.descriptors().close(slots[0].u32));
}

// (from, to): both must be open; `to` is closed and `from` takes its number.
HostCall fd_renumber(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return answer(slots, state.descriptors().renumber(slots[0].u32, slots[1].u32));
}

// (fd, Pointer<fdstat>)
HostCall fd_fdstat_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find(slots[0].u32);
  if (!found) return answer(slots, found.error());
  const auto to = memory.range(slots[1].u32, fdstat_layout::size);
  if (!to) return answer(slots, Errno::fault);
  const Descriptor& descriptor = **found;
  std::memset(to->data(), 0, to->size());
  (*to)[fdstat_layout::filetype] = static_cast<std::uint8_t>(file_type_of(descriptor));
  std::memcpy(to->data() + fdstat_layout::flags, &descriptor.flags, sizeof descriptor.flags);
  std::memcpy(to->data() + fdstat_layout::rights_base, &descriptor.base, sizeof descriptor.base);
  std::memcpy(to->data() + fdstat_layout::rights_inheriting, &descriptor.inheriting,
              sizeof descriptor.inheriting);
  return answer(slots, Errno::success);
}

// (fd, fdflags). Of a file's flags only `append` can change later; `nonblock` changes nothing here.
HostCall fd_fdstat_set_flags(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find_for_change(slots[0].u32, rights::fd_fdstat_set_flags);
  if (!found) return answer(slots, found.error());
  Descriptor& descriptor = **found;
  const std::uint32_t wanted = slots[1].u32;
  if ((wanted & ~std::uint32_t{fdflags::all}) != 0) return answer(slots, Errno::inval);
  const std::uint16_t changed = static_cast<std::uint16_t>(wanted ^ descriptor.flags);
  if ((changed & (fdflags::dsync | fdflags::rsync | fdflags::sync)) != 0) return answer(slots, Errno::notsup);
  if (descriptor.kind == Descriptor::Kind::file && (changed & fdflags::append) != 0) {
    const int now = ::fcntl(descriptor.host, F_GETFL);
    if (now < 0 || ::fcntl(descriptor.host, F_SETFL, now ^ O_APPEND) != 0)
      return answer(slots, from_host(errno));
  }
  descriptor.flags = static_cast<std::uint16_t>(wanted);
  return answer(slots, Errno::success);
}

// (fd, base: rights, inheriting: rights): rights can only be given up.
HostCall fd_fdstat_set_rights(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find_for_change(slots[0].u32);
  if (!found) return answer(slots, found.error());
  Descriptor& descriptor = **found;
  const Rights base = slots[1].u64;
  const Rights inheriting = slots[2].u64;
  if ((base & ~descriptor.base) != 0 || (inheriting & ~descriptor.inheriting) != 0) {
    return answer(slots, Errno::notcapable);
  }
  descriptor.base = base;
  descriptor.inheriting = inheriting;
  return answer(slots, Errno::success);
}

// (fd, Pointer<filestat>)
HostCall fd_filestat_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find(slots[0].u32, rights::fd_filestat_get);
  if (!found) return answer(slots, found.error());
  struct stat status{};  // a stream's is all zero
  if (!(*found)->is_stream() && ::fstat((*found)->host, &status) != 0) return answer(slots, from_host(errno));
  return answer(slots, store_filestat(memory, slots[1].u32, status));
}

// (fd, Pointer<prestat>)
HostCall fd_prestat_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find(slots[0].u32);
  if (!found) return answer(slots, found.error());
  if ((*found)->preopen.empty()) return answer(slots, Errno::badf);
  const auto to = memory.range(slots[1].u32, prestat_layout::size);
  if (!to) return answer(slots, Errno::fault);
  std::memset(to->data(), 0, to->size());  // tag 0: a directory
  const auto length = static_cast<std::uint32_t>((*found)->preopen.size());
  std::memcpy(to->data() + prestat_layout::name_length, &length, sizeof length);
  return answer(slots, Errno::success);
}

// (fd, path: Pointer<u8>, length)
HostCall fd_prestat_dir_name(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find(slots[0].u32);
  if (!found) return answer(slots, found.error());
  const std::string_view name = (*found)->preopen;
  if (name.empty()) return answer(slots, Errno::badf);
  const auto to = memory.range(slots[1].u32, slots[2].u32);
  if (!to) return answer(slots, Errno::fault);
  if (to->size() < name.size()) return answer(slots, Errno::nametoolong);
  std::memcpy(to->data(), name.data(), name.size());
  return answer(slots, Errno::success);
}

HostCall sock_accept(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return deny_socket(state, slots);
}
HostCall sock_recv(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return deny_socket(state, slots);
}
HostCall sock_send(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return deny_socket(state, slots);
}
HostCall sock_shutdown(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return deny_socket(state, slots);
}

}  // namespace tollgate::sandbox::wasi
