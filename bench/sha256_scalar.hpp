// The yardstick for guests that compute the SHA-256 chain: the C guest's own source compiled natively at -O3,
// without the processor's SHA instructions, which WebAssembly does not have either.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tollgate::bench {

struct ScalarChain {
  const char* compiler;
  // `digest` in words, big-endian; goes on from what is in it.
  void (*run)(std::uint32_t digest[8], std::uint64_t rounds);
};

// One for each compiler that was there at build time: ours, and the guests' clang.
std::span<const ScalarChain> scalar_chains();

std::string chain_hex(const ScalarChain& chain, std::uint64_t rounds);

}  // namespace tollgate::bench
