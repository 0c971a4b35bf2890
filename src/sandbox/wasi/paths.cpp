// Functions on paths beneath a granted directory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/wasi/beneath.hpp"
#include "sandbox/wasi/filestat.hpp"
#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox::wasi {
namespace {

expected<const Descriptor*, Errno> find_directory(const Preview1& state, std::uint32_t number,
                                                  Rights needed) {
  const auto found = state.descriptors().find(number);
  if (!found) return unexpected(found.error());
  if ((*found)->kind != Descriptor::Kind::directory) return unexpected(Errno::notdir);
  return state.descriptors().find(number, needed);
}

// Why a directory has not a right that takes `write`: it was granted without, which to the guest is a
// read-only file system, or the guest gave the right up.
Errno lack_of_write(const Descriptor& directory) {
  const bool granted = ((directory.base | directory.inheriting) & rights::only_with_write) != 0;
  return granted ? Errno::notcapable : Errno::rofs;
}

expected<const Descriptor*, Errno> find_writable(const Preview1& state, std::uint32_t number, Rights needed) {
  const auto found = find_directory(state, number, 0);
  if (!found) return unexpected(found.error());
  if (((*found)->base & needed) != needed) return unexpected(lack_of_write(**found));
  return found;
}

// `of_dots` is the errno for a path that ends in "." or "..", as Linux has it for the function that asks.
expected<Parent, Errno> parent_of(const Preview1& state, GuestMemory memory, std::uint32_t number,
                                  Rights needed, std::uint32_t address, std::uint32_t length, Errno of_dots) {
  const auto directory = find_writable(state, number, needed);
  if (!directory) return unexpected(directory.error());
  const auto path = load_path(memory, address, length);
  if (!path) return unexpected(path.error());
  auto parent = open_parent((*directory)->host, *path);
  if (parent && parent->is_dots()) return unexpected(of_dots);
  return parent;
}

Errno result_of(int host_result) {
  return host_result == 0 ? Errno::success : from_host(errno);
}

LastLink last_link(std::uint32_t lookupflags) {
  return (lookupflags & lookup_symlink_follow) != 0 ? LastLink::follow : LastLink::keep;
}

// A path that ended in a slash must name a directory.
Errno check_kind(const Parent& parent) {
  if (!parent.names_directory) return Errno::success;
  struct stat status{};
  if (::fstatat(parent.directory.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return from_host(errno);
  }
  return S_ISDIR(status.st_mode) ? Errno::success : Errno::notdir;
}

// What is to be made, and is no directory, cannot have a path that ends in a slash.
Errno check_new_name(const Parent& parent) {
  if (!parent.names_directory) return Errno::success;
  struct stat status{};
  const int found = ::fstatat(parent.directory.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW);
  return found == 0 ? Errno::exist : from_host(errno);
}

constexpr Rights read_rights = rights::fd_read | rights::fd_readdir;
constexpr Rights write_rights = rights::fd_write | rights::fd_allocate | rights::fd_filestat_set_size;

struct OpenRequest {
  std::uint32_t lookupflags;
  std::uint32_t oflags;
  Rights base;
  std::uint32_t fdflags;
};

expected<int, Errno> open_flags(const OpenRequest& request, const Descriptor& directory) {
  if ((request.oflags & ~std::uint32_t{oflags::all}) != 0 ||
      (request.fdflags & ~std::uint32_t{fdflags::all}) != 0) {
    return unexpected(Errno::inval);
  }
  const bool lists = (request.oflags & oflags::directory) != 0;
  const bool writes = !lists && (request.base & rights::fd_write) != 0;
  const bool makes = (request.oflags & oflags::creat) != 0;
  const bool truncates = (request.oflags & oflags::trunc) != 0;
  if (lists && (request.base & rights::fd_write) != 0) return unexpected(Errno::isdir);
  if ((writes && (directory.inheriting & rights::fd_write) == 0) ||
      (makes && (directory.base & rights::path_create_file) == 0) ||
      (truncates && (directory.base & rights::path_filestat_set_size) == 0)) {
    return unexpected(lack_of_write(directory));
  }
  const Rights granted = request.base & directory.inheriting;
  const bool for_writing = !lists && (granted & write_rights) != 0;
  const bool for_reading = (granted & read_rights) != 0 || !for_writing;
  // O_NONBLOCK: opening a fifo must not wait; it is refused right after.
  int flags = O_NOCTTY | O_NONBLOCK;
  flags |= for_writing ? (for_reading ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (lists) flags |= O_DIRECTORY;
  if (makes) flags |= O_CREAT;
  if ((request.oflags & oflags::excl) != 0) flags |= O_EXCL;
  if (truncates) flags |= O_TRUNC;
  if ((request.fdflags & fdflags::append) != 0) flags |= O_APPEND;
  if ((request.fdflags & (fdflags::sync | fdflags::rsync)) != 0) flags |= O_SYNC;
  if ((request.fdflags & fdflags::dsync) != 0) flags |= O_DSYNC;
  return flags;
}

// What was opened, if it is of a kind that guests may have: no fifos, devices or sockets. A directory has the
// rights of the one it was opened from, whatever was asked for: Go asks for those of a file only, and then
// works on in it.
expected<Descriptor, Errno> describe(UniqueFd opened, const OpenRequest& request,
                                     const Descriptor& directory) {
  struct stat status{};
  if (::fstat(opened.get(), &status) != 0) return unexpected(from_host(errno));
  Descriptor descriptor;
  if (S_ISDIR(status.st_mode)) {
    descriptor.kind = Descriptor::Kind::directory;
    descriptor.base = directory.base;
    descriptor.inheriting = directory.inheriting;
  } else if (S_ISREG(status.st_mode)) {
    descriptor.kind = Descriptor::Kind::file;
    descriptor.base = request.base & directory.inheriting & (rights::read_file | rights::write_file);
  } else {
    return unexpected(Errno::notcapable);
  }
  descriptor.flags = static_cast<std::uint16_t>(request.fdflags);
  descriptor.host = opened.get();
  descriptor.owned = std::move(opened);
  return descriptor;
}

expected<std::uint32_t, Errno> open(Preview1& state, GuestMemory memory, const HostValue* slots) {
  const OpenRequest request{slots[1].u32, slots[4].u32, slots[5].u64, slots[7].u32};
  const auto directory = find_directory(state, slots[0].u32, rights::path_open);
  if (!directory) return unexpected(directory.error());
  const auto path = load_path(memory, slots[2].u32, slots[3].u32);
  if (!path) return unexpected(path.error());
  if (!memory.range(slots[8].u32, sizeof(std::uint32_t))) return unexpected(Errno::fault);
  const auto flags = open_flags(request, **directory);
  if (!flags) return unexpected(flags.error());
  const mode_t mode = (*flags & O_CREAT) != 0 ? 0644 : 0;
  auto opened = open_beneath((*directory)->host, *path, *flags, mode, last_link(request.lookupflags));
  if (!opened) return unexpected(opened.error());
  auto descriptor = describe(std::move(*opened), request, **directory);
  if (!descriptor) return unexpected(descriptor.error());
  return state.descriptors().insert(std::move(*descriptor));
}

}  // namespace

// (fd, path, length)
HostCall path_create_directory(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto parent = parent_of(state, memory, slots[0].u32, rights::path_create_directory, slots[1].u32,
                                slots[2].u32, Errno::exist);
  if (!parent) return answer(slots, parent.error());
  return answer(slots, result_of(::mkdirat(parent->directory.get(), parent->name.c_str(), 0755)));
}

// (fd, lookupflags, path, length, Pointer<filestat>)
HostCall path_filestat_get(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto directory = find_directory(state, slots[0].u32, rights::path_filestat_get);
  if (!directory) return answer(slots, directory.error());
  const auto path = load_path(memory, slots[2].u32, slots[3].u32);
  if (!path) return answer(slots, path.error());
  const auto opened = open_beneath((*directory)->host, *path, O_PATH, 0, last_link(slots[1].u32));
  if (!opened) return answer(slots, opened.error());
  struct stat status{};
  if (::fstat(opened->get(), &status) != 0) return answer(slots, from_host(errno));
  return answer(slots, store_filestat(memory, slots[4].u32, status));
}

// (fd, lookupflags, path, length, accessed, modified, fstflags)
HostCall path_filestat_set_times(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto directory = find_writable(state, slots[0].u32, rights::path_filestat_set_times);
  if (!directory) return answer(slots, directory.error());
  const auto path = load_path(memory, slots[2].u32, slots[3].u32);
  if (!path) return answer(slots, path.error());
  timespec times[2];
  const Errno error = to_times(slots[4].u64, slots[5].u64, slots[6].u32, times);
  if (error != Errno::success) return answer(slots, error);
  const auto opened = open_beneath((*directory)->host, *path, O_PATH, 0, last_link(slots[1].u32));
  if (!opened) return answer(slots, opened.error());
  return answer(slots, result_of(::utimensat(opened->get(), "", times, AT_EMPTY_PATH)));
}

// (old fd, lookupflags, old path, length, new fd, new path, length)
HostCall path_link(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto from = parent_of(state, memory, slots[0].u32, rights::path_link_source, slots[2].u32,
                              slots[3].u32, Errno::perm);
  if (!from) return answer(slots, from.error());
  const auto to = parent_of(state, memory, slots[4].u32, rights::path_link_target, slots[5].u32, slots[6].u32,
                            Errno::exist);
  if (!to) return answer(slots, to.error());
  // linkat(2) cannot follow a last link and stay beneath the directory.
  if ((slots[1].u32 & lookup_symlink_follow) != 0) return answer(slots, Errno::inval);
  if (from->names_directory) return answer(slots, Errno::notdir);
  const Errno name = check_new_name(*to);
  if (name != Errno::success) return answer(slots, name);
  return answer(slots, result_of(::linkat(from->directory.get(), from->name.c_str(), to->directory.get(),
                                          to->name.c_str(), 0)));
}

// (fd, lookupflags, path, length, oflags, base: rights, inheriting: rights, fdflags, opened: Pointer<fd>).
// Rights that the directory does not pass on are left out, not refused: toolchains ask for all they know.
HostCall path_open(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const std::uint32_t number_address = slots[8].u32;
  const auto number = open(state, memory, slots);
  if (!number) return answer(slots, number.error());
  return answer(slots, memory.store(number_address, *number) ? Errno::success : Errno::fault);
}

// (fd, path, length, buffer: Pointer<u8>, length, used: Pointer<size>)
HostCall path_readlink(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto directory = find_directory(state, slots[0].u32, rights::path_readlink);
  if (!directory) return answer(slots, directory.error());
  const auto path = load_path(memory, slots[1].u32, slots[2].u32);
  if (!path) return answer(slots, path.error());
  const auto to = memory.range(slots[3].u32, slots[4].u32);
  const std::uint32_t used_address = slots[5].u32;
  if (!to || !memory.range(used_address, sizeof(std::uint32_t))) return answer(slots, Errno::fault);
  const auto link = open_beneath((*directory)->host, *path, O_PATH, 0, LastLink::keep);
  if (!link) return answer(slots, link.error());
  char target[path_bytes_max];
  const ssize_t bytes = ::readlinkat(link->get(), "", target, sizeof target);
  if (bytes < 0) return answer(slots, errno == ENOENT ? Errno::inval : from_host(errno));  // not a link
  // An absolute target tells of the host's file system and could not be followed.
  if (bytes > 0 && target[0] == '/') return answer(slots, Errno::notcapable);
  const std::size_t kept = std::min<std::size_t>(static_cast<std::size_t>(bytes), to->size());
  if (kept != 0) std::memcpy(to->data(), target, kept);
  return answer(slots,
                memory.store(used_address, static_cast<std::uint32_t>(kept)) ? Errno::success : Errno::fault);
}

// (fd, path, length)
HostCall path_remove_directory(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto parent = parent_of(state, memory, slots[0].u32, rights::path_remove_directory, slots[1].u32,
                                slots[2].u32, Errno::inval);
  if (!parent) return answer(slots, parent.error());
  return answer(slots, result_of(::unlinkat(parent->directory.get(), parent->name.c_str(), AT_REMOVEDIR)));
}

// (old fd, old path, length, new fd, new path, length)
HostCall path_rename(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto from = parent_of(state, memory, slots[0].u32, rights::path_rename_source, slots[1].u32,
                              slots[2].u32, Errno::busy);
  if (!from) return answer(slots, from.error());
  const auto to = parent_of(state, memory, slots[3].u32, rights::path_rename_target, slots[4].u32,
                            slots[5].u32, Errno::busy);
  if (!to) return answer(slots, to.error());
  Errno kind = check_kind(*from);
  if (kind == Errno::success && to->names_directory && !from->names_directory) {
    kind = check_kind({UniqueFd(::dup(from->directory.get())), from->name, true});
  }
  if (kind != Errno::success) return answer(slots, kind);
  return answer(slots, result_of(::renameat(from->directory.get(), from->name.c_str(), to->directory.get(),
                                            to->name.c_str())));
}

// (target, length, fd, path, length). The target is kept as text: following it is what is confined. Absolute
// ones are refused, for nothing could ever be reached through them.
HostCall path_symlink(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto target = load_path(memory, slots[0].u32, slots[1].u32);
  if (!target) return answer(slots, target.error());
  const auto parent =
      parent_of(state, memory, slots[2].u32, rights::path_symlink, slots[3].u32, slots[4].u32, Errno::exist);
  if (!parent) return answer(slots, parent.error());
  if (target->front() == '/') return answer(slots, Errno::notcapable);
  const Errno name = check_new_name(*parent);
  if (name != Errno::success) return answer(slots, name);
  return answer(slots,
                result_of(::symlinkat(target->c_str(), parent->directory.get(), parent->name.c_str())));
}

// (fd, path, length)
HostCall path_unlink_file(Preview1& state, GuestMemory memory, HostValue* slots) noexcept {
  const auto parent = parent_of(state, memory, slots[0].u32, rights::path_unlink_file, slots[1].u32,
                                slots[2].u32, Errno::isdir);
  if (!parent) return answer(slots, parent.error());
  const Errno kind = check_kind(*parent);
  if (kind != Errno::success) return answer(slots, kind);
  return answer(slots, result_of(::unlinkat(parent->directory.get(), parent->name.c_str(), 0)));
}

}  // namespace tollgate::sandbox::wasi
