// SHA-256 of a stream of bytes; the engine's implementation, which uses the CPU's instructions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

struct tollgate_sha256;

namespace tollgate::sandbox {

class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  void update(std::span<const std::uint8_t> bytes);
  Digest finish();  // once; nothing may be added afterwards

 private:
  tollgate_sha256* state_;
};

std::string to_hex(std::span<const std::uint8_t> bytes);      // lower case
std::string sha256_hex(std::span<const std::uint8_t> bytes);  // 64 digits

}  // namespace tollgate::sandbox
