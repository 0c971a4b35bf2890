// Files with holes: containers are, because a memory image is mostly zeros.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace tollgate::sandbox {

// Copies the first `size` bytes of a file into an empty one; holes stay holes. False: see errno.
bool copy_sparse(int from, int to, off_t size);

// How many bytes of a range are no hole.
std::uint64_t content_bytes(int file, std::uint64_t offset, std::uint64_t length);

}  // namespace tollgate::sandbox
