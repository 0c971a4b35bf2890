// `native = "state"`: one counter for all workers; each request gets its value from before the increment,
// from 0.
#pragma once

#include <atomic>
#include <cstdint>

#include "gateway/backend.hpp"

namespace tollgate::gateway {

class StateBackend final : public Backend {
 public:
  // `counter` is in memory that all workers share (SharedCounts::state) and outlives the backend.
  StateBackend(const Route& route, std::atomic<std::uint64_t>& counter);

  Task<> serve(RequestContext& context) override;

 private:
  std::span<const http::Field> fields_;
  std::atomic<std::uint64_t>& counter_;
};

}  // namespace tollgate::gateway
