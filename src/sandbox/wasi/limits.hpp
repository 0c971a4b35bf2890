// Bounds of single host calls, so that no argument of a guest makes one loop, allocate or block for long. A
// call that is asked for more does part of it, or fails with the errno named here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate::sandbox::wasi {

// iovecs per read or write; beyond it `inval`, as IOV_MAX does on Linux.
inline constexpr std::uint32_t iovecs_max = 1024;
// One file read, write or directory listing moves at most this (it may block on the disk); the rest is a
// short count, which callers must handle anyway.
inline constexpr std::size_t file_io_bytes_max = 64 * 1024;
// random_get fills this much (about 0.3 ms), then yields the worker.
inline constexpr std::size_t random_slice_bytes = 128 * 1024;
// Subscriptions per poll_oneoff; beyond it `inval`.
inline constexpr std::uint32_t subscriptions_max = 1024;
// PATH_MAX of Linux; beyond it `nametoolong`.
inline constexpr std::uint32_t path_bytes_max = 4096;
// Open descriptors per run, the standard three included; beyond it `mfile`. Removing a tree takes one a
// level.
inline constexpr std::uint32_t descriptors_max = 256;
// Largest file a guest may make by writing or setting a size; beyond it `fbig`.
inline constexpr std::uint64_t file_bytes_max = std::uint64_t{1} << 30;
// openat2 fails with EAGAIN when a rename races with the resolution of "..": tried again this often.
inline constexpr int resolve_attempts_max = 16;

}  // namespace tollgate::sandbox::wasi
