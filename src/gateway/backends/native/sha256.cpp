#include "gateway/backends/native/sha256.hpp"

// The plain functions are marked deprecated in favour of EVP from 3.0 on (see the header for why not that
// one).
#define OPENSSL_API_COMPAT 10101
#include <openssl/sha.h>

namespace tollgate::gateway {

static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_LENGTH);

Digest sha256(std::span<const std::uint8_t> bytes) {
  Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

}  // namespace tollgate::gateway
