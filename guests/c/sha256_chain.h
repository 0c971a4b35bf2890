// One link of the /compute chain: SHA-256 (FIPS 180-4) of the 40 bytes `digest, round (little-endian u64)`, which with
// their padding are exactly one block. The digest stays in words; all rounds are unrolled.
#ifndef SHA256_CHAIN_H
#define SHA256_CHAIN_H
#include <stdint.h>

static inline uint32_t rotate_right(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }
static inline uint32_t big_sigma0(uint32_t x) { return rotate_right(x, 2) ^ rotate_right(x, 13) ^ rotate_right(x, 22); }
static inline uint32_t big_sigma1(uint32_t x) { return rotate_right(x, 6) ^ rotate_right(x, 11) ^ rotate_right(x, 25); }
static inline uint32_t small_sigma0(uint32_t x) { return rotate_right(x, 7) ^ rotate_right(x, 18) ^ (x >> 3); }
static inline uint32_t small_sigma1(uint32_t x) { return rotate_right(x, 17) ^ rotate_right(x, 19) ^ (x >> 10); }
static inline uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
static inline uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (z & (x | y)); }

#define ROUND(a, b, c, d, e, f, g, h, k, word)                              \
  do {                                                                      \
    const uint32_t t1 = h + big_sigma1(e) + choose(e, f, g) + (k) + (word); \
    d += t1;                                                                \
    h = t1 + big_sigma0(a) + majority(a, b, c);                             \
  } while (0)
// Word i of the schedule, in a ring of 16.
#define NEXT(i) \
  (w[(i) & 15] += small_sigma1(w[((i) - 2) & 15]) + w[((i) - 7) & 15] + small_sigma0(w[((i) - 15) & 15]))
#define EIGHT(W, i, k0, k1, k2, k3, k4, k5, k6, k7) \
  ROUND(a, b, c, d, e, f, g, h, k0, W(i));          \
  ROUND(h, a, b, c, d, e, f, g, k1, W(i + 1));      \
  ROUND(g, h, a, b, c, d, e, f, k2, W(i + 2));      \
  ROUND(f, g, h, a, b, c, d, e, k3, W(i + 3));      \
  ROUND(e, f, g, h, a, b, c, d, k4, W(i + 4));      \
  ROUND(d, e, f, g, h, a, b, c, k5, W(i + 5));      \
  ROUND(c, d, e, f, g, h, a, b, k6, W(i + 6));      \
  ROUND(b, c, d, e, f, g, h, a, k7, W(i + 7))
#define GIVEN(i) w[i]

static inline void sha256_chain_link(uint32_t digest[8], uint64_t round) {
  uint32_t w[16];
  for (int i = 0; i < 8; ++i) w[i] = digest[i];
  w[8] = __builtin_bswap32((uint32_t)round);
  w[9] = __builtin_bswap32((uint32_t)(round >> 32));
  w[10] = 0x80000000u;
  w[11] = w[12] = w[13] = w[14] = 0;
  w[15] = 40 * 8;
  uint32_t a = 0x6a09e667, b = 0xbb67ae85, c = 0x3c6ef372, d = 0xa54ff53a;
  uint32_t e = 0x510e527f, f = 0x9b05688c, g = 0x1f83d9ab, h = 0x5be0cd19;
  EIGHT(GIVEN, 0, 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5);
  EIGHT(GIVEN, 8, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174);
  EIGHT(NEXT, 16, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da);
  EIGHT(NEXT, 24, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967);
  EIGHT(NEXT, 32, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85);
  EIGHT(NEXT, 40, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070);
  EIGHT(NEXT, 48, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3);
  EIGHT(NEXT, 56, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2);
  digest[0] = a + 0x6a09e667;
  digest[1] = b + 0xbb67ae85;
  digest[2] = c + 0x3c6ef372;
  digest[3] = d + 0xa54ff53a;
  digest[4] = e + 0x510e527f;
  digest[5] = f + 0x9b05688c;
  digest[6] = g + 0x1f83d9ab;
  digest[7] = h + 0x5be0cd19;
}

#endif
