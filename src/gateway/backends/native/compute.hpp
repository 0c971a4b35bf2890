// `native = "compute"`: a chain of SHA-256 rounds, the CPU-bound workload of the gateway study.
//
// GET /compute?iters=N answers the lower-case hexadecimal digest after N rounds (default 50,000): the first
// input is 32 zero bytes, round i (from 0) is SHA-256(digest, i as 8 little-endian bytes). N above the
// maximum, or not a number, is 400.
#pragma once

#include <optional>
#include <string>

#include "gateway/backend.hpp"
#include "gateway/backends/native/sha256.hpp"

namespace tollgate::gateway {

class ComputeBackend final : public Backend {
 public:
  static constexpr std::uint64_t rounds_default = 50'000;
  // About a second of CPU time; the deadline still holds.
  static constexpr std::uint64_t rounds_max = 10'000'000;

  ComputeBackend(const Route& route, Executor executor);

  // Long chains give the loop back after each slice, so other requests of the worker go on.
  Task<> serve(RequestContext& context) override;

 private:
  std::span<const http::Field> fields_;
  Executor executor_;
};

// N of the query's first `iters`, the default without one, nullopt if it is not a number up to the maximum.
std::optional<std::uint64_t> rounds_of(std::string_view query);

// Rounds [begin, end) of the chain.
void run_rounds(Digest& digest, std::uint64_t begin, std::uint64_t end);

}  // namespace tollgate::gateway
