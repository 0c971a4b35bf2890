// $filestat: what stat(2) tells, as a guest sees it.
#pragma once

#include <sys/stat.h>

#include "sandbox/guest.hpp"
#include "sandbox/wasi/errno.hpp"
#include "sandbox/wasi/layout.hpp"

namespace tollgate::sandbox::wasi {

FileType file_type(mode_t mode);
Errno store_filestat(GuestMemory memory, std::uint32_t address, const struct stat& status);

// $fstflags and two timestamps as utimensat(2) takes them; `inval` for flags that contradict each other.
Errno to_times(std::uint64_t accessed, std::uint64_t modified, std::uint32_t flags, timespec (&times)[2]);

}  // namespace tollgate::sandbox::wasi
