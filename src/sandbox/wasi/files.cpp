// Functions on open files and directories.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/wasi/file_io.hpp"
#include "sandbox/wasi/filestat.hpp"
#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

// The open regular file of that number with those rights; streams are `spipe`, directories `isdir`.
expected<const Descriptor*, Errno> find_file(Preview1& state, std::uint32_t number, Rights needed) {
  const auto found = state.descriptors().find(number);
  if (!found) return unexpected(found.error());
  if ((*found)->is_stream()) return unexpected(Errno::spipe);
  if ((*found)->kind == Descriptor::Kind::directory) return unexpected(Errno::isdir);
  return state.descriptors().find(number, needed);
}

HostCall transfer_at(Preview1& state, GuestMemory memory, HostValue* slots, Rights right,
                     expected<std::uint32_t, Errno> (*transfer)(Descriptors&, const Descriptor&,
                                                                const Iovecs&,
                                                                std::optional<std::uint64_t>)) {
  const auto file = find_file(state, slots[0].u32, right | rights::fd_seek);
  if (!file) return answer(slots, file.error());
  const auto buffers = Iovecs::load(memory, slots[1].u32, slots[2].u32);
  if (!buffers) return answer(slots, buffers.error());
  const std::uint32_t count_address = slots[4].u32;
  if (!memory.range(count_address, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  const auto moved = transfer(state.descriptors(), **file, *buffers, slots[3].u64);
  if (!moved) return answer(slots, moved.error());
  return answer(slots, memory.store(count_address, *moved) ? Errno::success : Errno::fault);
}

HostCall synchronise(Preview1& state, HostValue* slots, Rights right, int (*sync)(int)) {
  const auto found = state.descriptors().find(slots[0].u32);
  if (!found) return answer(slots, found.error());
  if ((*found)->is_stream()) return answer(slots, Errno::inval);  // as fsync(2) of a pipe
  if (((*found)->base & right) == 0) return answer(slots, Errno::notcapable);
  return answer(slots, sync((*found)->host) == 0 ? Errno::success : from_host(errno));
}

// A d_type is the file type bits of a mode, moved down (DTTOIF of <dirent.h>, which is not standard C++).
constexpr int dirent_type_shift = 12;

// One entry as getdents64(2) gives it.
struct Entry {
  std::uint64_t inode;
  std::uint64_t next;
  std::uint16_t bytes;
  unsigned char type;
  std::string_view name;
};

Entry entry_at(const char* record) {
  Entry entry{};
  std::memcpy(&entry.inode, record, 8);
  std::memcpy(&entry.next, record + 8, 8);
  std::memcpy(&entry.bytes, record + 16, 2);
  entry.type = static_cast<unsigned char>(record[18]);
  entry.name = record + 19;
  return entry;
}

// Appends as much of the entry as fits: a cut last entry tells the guest to ask again with a larger buffer.
std::size_t append_entry(std::span<std::uint8_t> to, const Entry& entry) {
  std::uint8_t head[dirent_layout::size] = {};
  const auto name_bytes = static_cast<std::uint32_t>(entry.name.size());
  std::memcpy(head + dirent_layout::next, &entry.next, sizeof entry.next);
  std::memcpy(head + dirent_layout::inode, &entry.inode, sizeof entry.inode);
  std::memcpy(head + dirent_layout::name_length, &name_bytes, sizeof name_bytes);
  head[dirent_layout::filetype] =
      static_cast<std::uint8_t>(file_type(static_cast<mode_t>(entry.type) << dirent_type_shift));
  const std::size_t head_bytes = std::min(to.size(), sizeof head);
  std::memcpy(to.data(), head, head_bytes);
  const std::size_t kept = std::min(to.size() - head_bytes, entry.name.size());
  if (kept != 0) std::memcpy(to.data() + head_bytes, entry.name.data(), kept);
  return head_bytes + kept;
}

// A granted directory's descriptor is shared with other runs and workers, its position too: list by one of
// our own.
Errno own_listing(Descriptor& directory) {
  if (directory.owned) return Errno::success;
  UniqueFd own(::openat(directory.host, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return from_host(errno);
  directory.host = own.get();
  directory.owned = std::move(own);
  return Errno::success;
}

// Cookies are the host's positions, which stay right when entries come and go. They take 64 bits where the
// file system hashes names (ext4), and telldir(3) of wasi-libc returns 32: there, seekdir(3) goes astray.
expected<std::uint32_t, Errno> list(Descriptors& descriptors, const Descriptor& directory,
                                    std::span<std::uint8_t> to, std::uint64_t cookie) {
  if (cookie > INT64_MAX) return unexpected(Errno::inval);
  if (::lseek(directory.host, static_cast<off_t>(cookie), SEEK_SET) < 0) return unexpected(from_host(errno));
  to = to.first(std::min(to.size(), file_io_bytes_max));
  std::size_t used = 0;
  while (used < to.size()) {
    const std::span<char> bounce = descriptors.bounce();
    const long got = ::syscall(SYS_getdents64, directory.host, bounce.data(), bounce.size());
    if (got < 0) return unexpected(from_host(errno));
    if (got == 0) break;
    for (long at = 0; at < got && used < to.size();) {
      const Entry entry = entry_at(bounce.data() + at);
      used += append_entry(to.subspan(used), entry);
      at += entry.bytes;
    }
  }
  return static_cast<std::uint32_t>(used);
}

}  // namespace

// (fd, iovs, count, offset: filesize, nread: Pointer<size>)
HostCall fd_pread(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return transfer_at(state, memory, slots, rights::fd_read, read_file);
}

// (fd, iovs, count, offset: filesize, nwritten: Pointer<size>)
HostCall fd_pwrite(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  return transfer_at(state, memory, slots, rights::fd_write, write_file);
}

// (fd, buffer: Pointer<u8>, length, cookie: dircookie, used: Pointer<size>)
HostCall fd_readdir(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find_for_change(slots[0].u32);
  if (!found) return answer(slots, found.error());
  if ((*found)->kind != Descriptor::Kind::directory) return answer(slots, Errno::notdir);
  if (((*found)->base & rights::fd_readdir) == 0) return answer(slots, Errno::notcapable);
  const auto to = memory.range(slots[1].u32, slots[2].u32);
  const std::uint32_t used_address = slots[4].u32;
  if (!to || !memory.range(used_address, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  const Errno opened = own_listing(**found);
  if (opened != Errno::success) return answer(slots, opened);
  const auto used = list(state.descriptors(), **found, *to, slots[3].u64);
  if (!used) return answer(slots, used.error());
  return answer(slots, memory.store(used_address, *used) ? Errno::success : Errno::fault);
}

// (fd, offset: filedelta, whence, position: Pointer<filesize>)
HostCall fd_seek(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto whence = slots[2].u32;
  const bool only_tells = slots[1].i64 == 0 && whence == static_cast<std::uint32_t>(Whence::current);
  const auto file = find_file(state, slots[0].u32, only_tells ? rights::fd_tell : rights::fd_seek);
  if (!file) return answer(slots, file.error());
  if (whence > static_cast<std::uint32_t>(Whence::end)) return answer(slots, Errno::inval);
  const std::uint32_t position_address = slots[3].u32;
  if (!memory.range(position_address, sizeof(std::uint64_t))) return answer(slots, Errno::fault);
  constexpr int host_whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  const off_t position = ::lseek((*file)->host, slots[1].i64, host_whence[whence]);
  if (position < 0) return answer(slots, from_host(errno));
  return answer(slots, memory.store(position_address, static_cast<std::uint64_t>(position)) ? Errno::success
                                                                                            : Errno::fault);
}

// (fd, position: Pointer<filesize>)
HostCall fd_tell(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto file = find_file(state, slots[0].u32, rights::fd_tell);
  if (!file) return answer(slots, file.error());
  const off_t position = ::lseek((*file)->host, 0, SEEK_CUR);
  if (position < 0) return answer(slots, from_host(errno));
  return answer(slots, memory.store(slots[1].u32, static_cast<std::uint64_t>(position)) ? Errno::success
                                                                                        : Errno::fault);
}

// These two wait for the disk, and the worker with them: who grants write access grants that.
HostCall fd_datasync(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return synchronise(state, slots, rights::fd_datasync, ::fdatasync);
}

HostCall fd_sync(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  return synchronise(state, slots, rights::fd_sync, ::fsync);
}

// (fd, size: filesize)
HostCall fd_filestat_set_size(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  const auto file = find_file(state, slots[0].u32, rights::fd_filestat_set_size);
  if (!file) return answer(slots, file.error() == Errno::spipe ? Errno::inval : file.error());
  if (slots[1].u64 > file_bytes_max) return answer(slots, Errno::fbig);
  return answer(slots, ::ftruncate((*file)->host, static_cast<off_t>(slots[1].u64)) == 0 ? Errno::success
                                                                                         : from_host(errno));
}

// (fd, accessed: timestamp, modified: timestamp, fstflags)
HostCall fd_filestat_set_times(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  const auto found = state.descriptors().find(slots[0].u32, rights::fd_filestat_set_times);
  if (!found) return answer(slots, found.error());
  timespec times[2];
  const Errno error = to_times(slots[1].u64, slots[2].u64, slots[3].u32, times);
  if (error != Errno::success) return answer(slots, error);
  // A granted directory may be an O_PATH descriptor, which futimens(2) does not take.
  return answer(
      slots, ::utimensat((*found)->host, "", times, AT_EMPTY_PATH) == 0 ? Errno::success : from_host(errno));
}

// (fd, offset, length, advice): advice may be ignored, and is.
HostCall fd_advise(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  constexpr std::uint32_t advices = 6;  // $advice
  const auto file = find_file(state, slots[0].u32, rights::fd_advise);
  if (!file) return answer(slots, file.error());
  return answer(slots, slots[3].u32 < advices ? Errno::success : Errno::inval);
}

// Denied: it would block for as long as the file system likes. A later write that finds no space says so.
HostCall fd_allocate(Preview1& state, GuestMemory, HostValue* slots) noexcept {
  const auto file = find_file(state, slots[0].u32, 0);
  return answer(slots, file ? Errno::notsup : file.error());
}

}  // namespace tollgate::sandbox::wasi
