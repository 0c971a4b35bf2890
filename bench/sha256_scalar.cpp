#include "bench/sha256_scalar.hpp"

#include <fmt/format.h>

#include <iterator>

extern "C" {
void sha256_scalar_gcc(std::uint32_t digest[8], std::uint64_t rounds);
#ifdef TOLLGATE_GUEST_CLANG
void sha256_scalar_clang(std::uint32_t digest[8], std::uint64_t rounds);
#endif
}

namespace tollgate::bench {

std::span<const ScalarChain> scalar_chains() {
  static constexpr ScalarChain chains[] = {
      {"gcc", sha256_scalar_gcc},
#ifdef TOLLGATE_GUEST_CLANG
      {"clang", sha256_scalar_clang},
#endif
  };
  return chains;
}

std::string chain_hex(const ScalarChain& chain, std::uint64_t rounds) {
  std::uint32_t digest[8] = {};
  chain.run(digest, rounds);
  std::string hex;
  for (const std::uint32_t word : digest) fmt::format_to(std::back_inserter(hex), "{:08x}", word);
  return hex;
}

}  // namespace tollgate::bench
