// The gateway study's /compute, honestly in the guest: N chained rounds of SHA-256 (?iters=N, default 50,000).
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sha256_chain.h"

static const uint64_t rounds_default = 50000;
static const uint64_t rounds_max = 10000000;

// The number after the query's first `iters=`; rounds_max + 1 if it is none.
static uint64_t rounds_of(const char* query) {
  static const char name[] = "iters=";
  for (const char* at = query; at != NULL && *at != 0; at = strchr(at, '&')) {
    if (*at == '&') ++at;
    if (strncmp(at, name, sizeof name - 1) != 0) continue;
    at += sizeof name - 1;
    uint64_t value = 0;
    if (*at < '0' || *at > '9') return rounds_max + 1;
    for (; *at >= '0' && *at <= '9' && value <= rounds_max; ++at) value = value * 10 + (uint64_t)(*at - '0');
    return *at == 0 || *at == '&' ? value : rounds_max + 1;
  }
  return rounds_default;
}

static int answer(const char* text, size_t bytes) { return write(STDOUT_FILENO, text, bytes) == (ssize_t)bytes ? 0 : 1; }

int main(void) {
  const char* query = getenv("QUERY_STRING");
  const uint64_t rounds = rounds_of(query != NULL ? query : "");
  if (rounds > rounds_max) {
    static const char refusal[] = "Status: 400 Bad Request\nContent-Type: text/plain\n\niters is a number up to 10000000\n";
    return answer(refusal, sizeof refusal - 1);
  }
  uint32_t digest[8] = {0};
  for (uint64_t round = 0; round < rounds; ++round) sha256_chain_link(digest, round);
  static char text[] = "Content-Type: text/plain\n\n0123456789012345678901234567890123456789012345678901234567890123";
  char* hex = text + sizeof text - 1 - 64;
  for (int i = 0; i < 64; ++i) hex[i] = "0123456789abcdef"[digest[i / 8] >> (28 - 4 * (i % 8)) & 15];
  return answer(text, sizeof text - 1);
}
