#include "sandbox/sparse_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace tollgate::sandbox {
namespace {

constexpr std::size_t copy_block_bytes = 256u << 10;

bool copy_extent(int from, int to, off_t at, off_t end) {
  std::vector<char> block(copy_block_bytes);
  while (at < end) {
    const std::size_t wanted = std::min(block.size(), static_cast<std::size_t>(end - at));
    const ssize_t count = ::pread(from, block.data(), wanted, at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    for (ssize_t done = 0; done < count;) {
      const ssize_t written = ::pwrite(to, block.data() + done, static_cast<std::size_t>(count - done),
                                       at + static_cast<off_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      done += written;
    }
    at += count;
  }
  return true;
}

// Calls `each(begin, end)` for every stretch of [begin, end) that is no hole, until it says false.
template <class Each>
bool for_each_extent(int file, off_t begin, off_t end, Each&& each) {
  for (off_t at = begin; at < end;) {
    const off_t data = ::lseek(file, at, SEEK_DATA);
    if (data < 0 || data >= end) break;  // ENXIO: nothing but a hole up to the end
    const off_t hole = ::lseek(file, data, SEEK_HOLE);
    at = hole < 0 ? end : std::min(hole, end);
    if (!each(data, at)) return false;
  }
  return true;
}

}  // namespace

bool copy_sparse(int from, int to, off_t size) {
  return for_each_extent(from, 0, size,
                         [from, to](off_t begin, off_t end) { return copy_extent(from, to, begin, end); }) &&
         ::ftruncate(to, size) == 0;
}

std::uint64_t content_bytes(int file, std::uint64_t offset, std::uint64_t length) {
  std::uint64_t total = 0;
  for_each_extent(file, static_cast<off_t>(offset), static_cast<off_t>(offset + length),
                  [&total](off_t begin, off_t end) {
                    total += static_cast<std::uint64_t>(end - begin);
                    return true;
                  });
  return total;
}

}  // namespace tollgate::sandbox
