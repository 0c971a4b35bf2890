// Gives a worker's free heap back to the kernel. glibc keeps up to twice the largest block that was ever
// freed (mallopt(3), M_MMAP_THRESHOLD): a worker through which answers of 16 MiB went would keep 32 for good.
// A lower threshold for every block would cost each large answer its page faults, twice the time for one of
// 2 MB; looked at every other second, they are paid once in that time.
//
// Threads: the worker's one thread.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/async.hpp"

namespace tollgate::gateway {

class HeapTrim {
 public:
  static constexpr std::chrono::seconds interval{2};
  static constexpr std::size_t free_bytes_max = std::size_t{4} << 20;  // kept for the next requests

  explicit HeapTrim(EventLoop& loop) : timer_(loop) {}
  void start();

 private:
  SteadyTimer timer_;
  std::size_t untrimmed_bytes_ = 0;  // counted as free after the last time: holes between blocks in use
};

}  // namespace tollgate::gateway
