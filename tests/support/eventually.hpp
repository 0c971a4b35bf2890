// Waiting for what another process does.
#pragma once

#include <chrono>
#include <thread>

namespace tollgate::testing {

// Whether the condition comes true, looked at again and again, within the limit.
template <class Condition>
bool eventually(const Condition& condition, std::chrono::milliseconds limit = std::chrono::seconds(5)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace tollgate::testing
