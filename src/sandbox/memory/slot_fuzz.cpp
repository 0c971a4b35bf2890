// Scripts of writes, growths, drops and unloads, on slots and on a model of them.
#include <cstdio>
#include <cstdlib>

#include "sandbox/memory/fault_handler.hpp"
#include "sandbox/memory/slot_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tollgate::sandbox::SignalStack signal_stack;
  if (const char* const wrong = tollgate::sandbox::play_slot_script({data, size})) {
    std::fprintf(stderr, "%s\n", wrong);
    std::abort();
  }
  return 0;
}
