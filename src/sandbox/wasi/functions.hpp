// The functions of wasi_snapshot_preview1, by family. For preview1.cpp's table only.
#pragma once

#include "sandbox/guest.hpp"
#include "sandbox/wasi/errno.hpp"
#include "sandbox/wasi/preview1.hpp"

namespace tollgate::sandbox::wasi {

inline HostCall answer(HostValue* slots, Errno error) {
  slots[0].u64 = static_cast<std::uint16_t>(error);
  return HostCall::done;
}

#define TOLLGATE_HOST_FUNCTION(name) \
  HostCall name(Preview1& state, GuestMemory memory, HostValue* slots) noexcept

// environment.cpp
TOLLGATE_HOST_FUNCTION(args_get);
TOLLGATE_HOST_FUNCTION(args_sizes_get);
TOLLGATE_HOST_FUNCTION(environ_get);
TOLLGATE_HOST_FUNCTION(environ_sizes_get);
TOLLGATE_HOST_FUNCTION(proc_exit);
TOLLGATE_HOST_FUNCTION(proc_raise);
TOLLGATE_HOST_FUNCTION(sched_yield);
// clocks.cpp
TOLLGATE_HOST_FUNCTION(clock_res_get);
TOLLGATE_HOST_FUNCTION(clock_time_get);
TOLLGATE_HOST_FUNCTION(random_get);
// poll.cpp
TOLLGATE_HOST_FUNCTION(poll_oneoff);
// streams.cpp
TOLLGATE_HOST_FUNCTION(fd_read);
TOLLGATE_HOST_FUNCTION(fd_write);
// files.cpp
TOLLGATE_HOST_FUNCTION(fd_pread);
TOLLGATE_HOST_FUNCTION(fd_pwrite);
TOLLGATE_HOST_FUNCTION(fd_readdir);
TOLLGATE_HOST_FUNCTION(fd_seek);
TOLLGATE_HOST_FUNCTION(fd_tell);
TOLLGATE_HOST_FUNCTION(fd_datasync);
TOLLGATE_HOST_FUNCTION(fd_sync);
TOLLGATE_HOST_FUNCTION(fd_filestat_set_size);
TOLLGATE_HOST_FUNCTION(fd_filestat_set_times);
TOLLGATE_HOST_FUNCTION(fd_advise);
TOLLGATE_HOST_FUNCTION(fd_allocate);
// descriptor_functions.cpp
TOLLGATE_HOST_FUNCTION(fd_close);
TOLLGATE_HOST_FUNCTION(fd_renumber);
TOLLGATE_HOST_FUNCTION(fd_fdstat_get);
TOLLGATE_HOST_FUNCTION(fd_fdstat_set_flags);
TOLLGATE_HOST_FUNCTION(fd_fdstat_set_rights);
TOLLGATE_HOST_FUNCTION(fd_filestat_get);
TOLLGATE_HOST_FUNCTION(fd_prestat_get);
TOLLGATE_HOST_FUNCTION(fd_prestat_dir_name);
TOLLGATE_HOST_FUNCTION(sock_accept);
TOLLGATE_HOST_FUNCTION(sock_recv);
TOLLGATE_HOST_FUNCTION(sock_send);
TOLLGATE_HOST_FUNCTION(sock_shutdown);
// paths.cpp
TOLLGATE_HOST_FUNCTION(path_create_directory);
TOLLGATE_HOST_FUNCTION(path_filestat_get);
TOLLGATE_HOST_FUNCTION(path_filestat_set_times);
TOLLGATE_HOST_FUNCTION(path_link);
TOLLGATE_HOST_FUNCTION(path_open);
TOLLGATE_HOST_FUNCTION(path_readlink);
TOLLGATE_HOST_FUNCTION(path_remove_directory);
TOLLGATE_HOST_FUNCTION(path_rename);
TOLLGATE_HOST_FUNCTION(path_symlink);
TOLLGATE_HOST_FUNCTION(path_unlink_file);

#undef TOLLGATE_HOST_FUNCTION

}  // namespace tollgate::sandbox::wasi
