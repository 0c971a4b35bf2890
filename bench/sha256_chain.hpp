// The gateway study's /compute in plain C++, what every answer is checked against: start from 32
// zero bytes, round i = SHA-256(hash, i as 64-bit little-endian), for i from 0.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace tollgate::bench {

// FIPS 180-4. At most 55 bytes: one block, as the chain needs.
std::array<std::uint8_t, 32> sha256_of_one_block(const std::uint8_t* bytes, std::size_t count);

std::string sha256_chain_hex(std::uint64_t rounds);

}  // namespace tollgate::bench
