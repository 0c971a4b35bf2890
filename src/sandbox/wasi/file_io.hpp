// Reads and writes of files for fd_read, fd_write, fd_pread and fd_pwrite: through a bounce buffer, at most
// file_io_bytes_max a call, so that neither the kernel sees a guest address nor a call blocks for long.
#pragma once

#include <cstdint>
#include <optional>

#include "base/expected.hpp"
#include "sandbox/wasi/descriptors.hpp"
#include "sandbox/wasi/iovecs.hpp"

namespace tollgate::sandbox::wasi {

// Bytes moved, maybe fewer than asked for. Without `offset` at the file's own position, which moves on.
expected<std::uint32_t, Errno> read_file(Descriptors& descriptors, const Descriptor& file, const Iovecs& to,
                                         std::optional<std::uint64_t> offset);
expected<std::uint32_t, Errno> write_file(Descriptors& descriptors, const Descriptor& file,
                                          const Iovecs& from, std::optional<std::uint64_t> offset);

}  // namespace tollgate::sandbox::wasi
