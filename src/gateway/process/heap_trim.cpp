#include "gateway/process/heap_trim.hpp"

#include <malloc.h>

namespace tollgate::gateway {

void HeapTrim::start() {
  timer_.expires_after(interval);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // stopped: `this` may be gone
    if (::mallinfo2().fordblks > untrimmed_bytes_ + free_bytes_max) {
      ::malloc_trim(free_bytes_max / 2);
      untrimmed_bytes_ = ::mallinfo2().fordblks;
    }
    start();
  });
}

}  // namespace tollgate::gateway
