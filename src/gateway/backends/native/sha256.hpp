// SHA-256 (FIPS 180-4), by OpenSSL's libcrypto.
//
// Why that library: TLS brings it anyway, its licence is ours, and it uses the CPU's SHA instructions.
// Measured for a 40-byte message: 0.07 us, as nettle; its newer EVP interface takes 0.10 us, links 4 MB more,
// and reads a configuration file at its first use, which a locked-down worker must not.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace tollgate::gateway {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::span<const std::uint8_t> bytes);

}  // namespace tollgate::gateway
