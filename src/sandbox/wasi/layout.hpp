// Constants and struct layouts of WASI preview 1, as witx/typenames.witx lays them out: offsets in bytes
// within the guest's memory, all integers little-endian.
#pragma once

#include <cstdint>

namespace tollgate::sandbox::wasi {

// $rights
using Rights = std::uint64_t;
namespace rights {
inline constexpr Rights fd_datasync = 1u << 0;
inline constexpr Rights fd_read = 1u << 1;
inline constexpr Rights fd_seek = 1u << 2;
inline constexpr Rights fd_fdstat_set_flags = 1u << 3;
inline constexpr Rights fd_sync = 1u << 4;
inline constexpr Rights fd_tell = 1u << 5;
inline constexpr Rights fd_write = 1u << 6;
inline constexpr Rights fd_advise = 1u << 7;
inline constexpr Rights fd_allocate = 1u << 8;
inline constexpr Rights path_create_directory = 1u << 9;
inline constexpr Rights path_create_file = 1u << 10;
inline constexpr Rights path_link_source = 1u << 11;
inline constexpr Rights path_link_target = 1u << 12;
inline constexpr Rights path_open = 1u << 13;
inline constexpr Rights fd_readdir = 1u << 14;
inline constexpr Rights path_readlink = 1u << 15;
inline constexpr Rights path_rename_source = 1u << 16;
inline constexpr Rights path_rename_target = 1u << 17;
inline constexpr Rights path_filestat_get = 1u << 18;
inline constexpr Rights path_filestat_set_size = 1u << 19;
inline constexpr Rights path_filestat_set_times = 1u << 20;
inline constexpr Rights fd_filestat_get = 1u << 21;
inline constexpr Rights fd_filestat_set_size = 1u << 22;
inline constexpr Rights fd_filestat_set_times = 1u << 23;
inline constexpr Rights path_symlink = 1u << 24;
inline constexpr Rights path_remove_directory = 1u << 25;
inline constexpr Rights path_unlink_file = 1u << 26;
inline constexpr Rights poll_fd_readwrite = 1u << 27;

inline constexpr Rights standard_input = fd_read | fd_filestat_get | fd_fdstat_set_flags | poll_fd_readwrite;
inline constexpr Rights standard_output =
    fd_write | fd_filestat_get | fd_fdstat_set_flags | poll_fd_readwrite;
inline constexpr Rights read_file =
    fd_read | fd_seek | fd_fdstat_set_flags | fd_tell | fd_advise | fd_filestat_get | poll_fd_readwrite;
inline constexpr Rights write_file =
    fd_write | fd_datasync | fd_sync | fd_allocate | fd_filestat_set_size | fd_filestat_set_times;
inline constexpr Rights read_directory =
    path_open | fd_readdir | path_readlink | path_filestat_get | fd_filestat_get | fd_fdstat_set_flags;
inline constexpr Rights write_directory =
    path_create_directory | path_create_file | path_link_source | path_link_target | path_rename_source |
    path_rename_target | path_filestat_set_size | path_filestat_set_times | path_symlink |
    path_remove_directory | path_unlink_file | fd_filestat_set_times | fd_datasync | fd_sync;
inline constexpr Rights only_with_write = write_directory | write_file;
}  // namespace rights

// $filetype
enum class FileType : std::uint8_t {
  unknown = 0,
  block_device = 1,
  character_device = 2,
  directory = 3,
  regular_file = 4,
  socket_stream = 6,
  symbolic_link = 7,
};

// $fdflags
namespace fdflags {
inline constexpr std::uint16_t append = 1, dsync = 2, nonblock = 4, rsync = 8, sync = 16, all = 31;
}
// $oflags
namespace oflags {
inline constexpr std::uint16_t creat = 1, directory = 2, excl = 4, trunc = 8, all = 15;
}
// $fstflags
namespace fstflags {
inline constexpr std::uint16_t atim = 1, atim_now = 2, mtim = 4, mtim_now = 8, all = 15;
}
// $lookupflags
inline constexpr std::uint32_t lookup_symlink_follow = 1;
// $whence
enum class Whence : std::uint8_t { set = 0, current = 1, end = 2 };
// $clockid
enum class ClockId : std::uint32_t { realtime = 0, monotonic = 1, process_cputime = 2, thread_cputime = 3 };
// $eventtype
enum class EventType : std::uint8_t { clock = 0, fd_read = 1, fd_write = 2 };
// $subclockflags
inline constexpr std::uint16_t subscription_clock_abstime = 1;

// $iovec, $ciovec
namespace iovec_layout {
inline constexpr std::uint32_t buffer = 0, length = 4, size = 8;
}
// $fdstat
namespace fdstat_layout {
inline constexpr std::uint32_t filetype = 0, flags = 2, rights_base = 8, rights_inheriting = 16, size = 24;
}
// $filestat
namespace filestat_layout {
inline constexpr std::uint32_t device = 0, inode = 8, filetype = 16, links = 24, bytes = 32, accessed = 40,
                               modified = 48, changed = 56, size = 64;
}
// $prestat
namespace prestat_layout {
inline constexpr std::uint32_t tag = 0, name_length = 4, size = 8;
}
// $dirent
namespace dirent_layout {
inline constexpr std::uint32_t next = 0, inode = 8, name_length = 16, filetype = 20, size = 24;
}
// $subscription
namespace subscription_layout {
inline constexpr std::uint32_t userdata = 0, tag = 8, clock_id = 16, clock_timeout = 24, clock_flags = 40,
                               fd = 16, size = 48;
}
// $event
namespace event_layout {
inline constexpr std::uint32_t userdata = 0, error = 8, type = 10, bytes = 16, flags = 24, size = 32;
}

}  // namespace tollgate::sandbox::wasi
