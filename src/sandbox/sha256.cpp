#include "sandbox/sha256.hpp"

#include <tollgate_engine.h>

#include <utility>

namespace tollgate::sandbox {

Sha256::Sha256() : state_(tollgate_sha256_new()) {}

Sha256::~Sha256() {
  if (state_ != nullptr) (void)finish();
}

void Sha256::update(std::span<const std::uint8_t> bytes) {
  tollgate_sha256_update(state_, bytes.data(), bytes.size());
}

Sha256::Digest Sha256::finish() {
  Digest digest;
  tollgate_sha256_finish(std::exchange(state_, nullptr), digest.data());
  return digest;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::span<const std::uint8_t> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return to_hex(hash.finish());
}

}  // namespace tollgate::sandbox
