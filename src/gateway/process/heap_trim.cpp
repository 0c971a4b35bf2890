#include "gateway/process/heap_trim.hpp"

#include <malloc.h>

namespace tollgate::gateway {

void HeapTrim::start() {
  timer_.expires_after(interval);
  timer_.async_wait([this](error_code error) {
    if (error) return;  // stopped: `this` may be gone
    if (::mallinfo2().fordblks > free_bytes_max) ::malloc_trim(free_bytes_max / 2);
    start();
  });
}

}  // namespace tollgate::gateway
