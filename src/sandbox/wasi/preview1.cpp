#include "sandbox/wasi/preview1.hpp"

#include <algorithm>

#include "sandbox/wasi/functions.hpp"

namespace tollgate::sandbox {
namespace {

constexpr auto possible = HostFunction::Suspension::possible;
constexpr auto by_streams = HostFunction::Suspension::by_streams;

// Signatures are the witx functions lowered to core types: a pointer or length is i32, a $timestamp,
// $filesize, $filedelta, $dircookie or $rights i64; the result is the $errno.
constexpr HostFunction functions[] = {
    {"args_get", "ii:i", wasi::args_get},
    {"args_sizes_get", "ii:i", wasi::args_sizes_get},
    {"clock_res_get", "ii:i", wasi::clock_res_get},
    {"clock_time_get", "iIi:i", wasi::clock_time_get},
    {"environ_get", "ii:i", wasi::environ_get},
    {"environ_sizes_get", "ii:i", wasi::environ_sizes_get},
    {"fd_advise", "iIIi:i", wasi::fd_advise},
    {"fd_allocate", "iII:i", wasi::fd_allocate},
    {"fd_close", "i:i", wasi::fd_close},
    {"fd_datasync", "i:i", wasi::fd_datasync},
    {"fd_fdstat_get", "ii:i", wasi::fd_fdstat_get},
    {"fd_fdstat_set_flags", "ii:i", wasi::fd_fdstat_set_flags},
    {"fd_fdstat_set_rights", "iII:i", wasi::fd_fdstat_set_rights},
    {"fd_filestat_get", "ii:i", wasi::fd_filestat_get},
    {"fd_filestat_set_size", "iI:i", wasi::fd_filestat_set_size},
    {"fd_filestat_set_times", "iIIi:i", wasi::fd_filestat_set_times},
    {"fd_pread", "iiiIi:i", wasi::fd_pread},
    {"fd_prestat_dir_name", "iii:i", wasi::fd_prestat_dir_name},
    {"fd_prestat_get", "ii:i", wasi::fd_prestat_get},
    {"fd_pwrite", "iiiIi:i", wasi::fd_pwrite},
    {"fd_read", "iiii:i", wasi::fd_read, by_streams},
    {"fd_readdir", "iiiIi:i", wasi::fd_readdir},
    {"fd_renumber", "ii:i", wasi::fd_renumber},
    {"fd_seek", "iIii:i", wasi::fd_seek},
    {"fd_sync", "i:i", wasi::fd_sync},
    {"fd_tell", "ii:i", wasi::fd_tell},
    {"fd_write", "iiii:i", wasi::fd_write, by_streams},
    {"path_create_directory", "iii:i", wasi::path_create_directory},
    {"path_filestat_get", "iiiii:i", wasi::path_filestat_get},
    {"path_filestat_set_times", "iiiiIIi:i", wasi::path_filestat_set_times},
    {"path_link", "iiiiiii:i", wasi::path_link},
    {"path_open", "iiiiiIIii:i", wasi::path_open},
    {"path_readlink", "iiiiii:i", wasi::path_readlink},
    {"path_remove_directory", "iii:i", wasi::path_remove_directory},
    {"path_rename", "iiiiii:i", wasi::path_rename},
    {"path_symlink", "iiiii:i", wasi::path_symlink},
    {"path_unlink_file", "iii:i", wasi::path_unlink_file},
    {"poll_oneoff", "iiii:i", wasi::poll_oneoff, possible},
    {"proc_exit", "i:", wasi::proc_exit},
    {"proc_raise", "i:i", wasi::proc_raise},
    {"random_get", "ii:i", wasi::random_get, possible},
    {"sched_yield", ":i", wasi::sched_yield},
    {"sock_accept", "iii:i", wasi::sock_accept},
    {"sock_recv", "iiiiii:i", wasi::sock_recv},
    {"sock_send", "iiiii:i", wasi::sock_send},
    {"sock_shutdown", "ii:i", wasi::sock_shutdown},
};
static_assert(std::size(functions) == 46);

}  // namespace

std::span<const HostFunction> preview1_functions() {
  return functions;
}

void Preview1::log(std::string_view bytes) {
  const std::uint64_t room =
      input_.limits.stderr_bytes_max - std::min(stderr_bytes_, input_.limits.stderr_bytes_max);
  const std::string_view kept = bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
  if (!kept.empty()) sink_.log(kept);
  if (stderr_dropped_ == 0 && kept.size() < bytes.size()) sink_.log(stderr_cut_note);
  stderr_bytes_ += kept.size();
  stderr_dropped_ += bytes.size() - kept.size();
}

}  // namespace tollgate::sandbox
