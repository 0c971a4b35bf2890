// The chain of guests/c/sha256_chain.h, which is what the C guest is compiled from, as native scalar code. Built once
// by each compiler there is, under the name it is given.
#include <stdint.h>

#include "guests/c/sha256_chain.h"

void SHA256_SCALAR(uint32_t digest[8], uint64_t rounds);

void SHA256_SCALAR(uint32_t digest[8], uint64_t rounds) {
  for (uint64_t round = 0; round < rounds; ++round) sha256_chain_link(digest, round);
}
