// cgi: what the leak tests run. `?write...` leaves a secret wherever a guest can: heap, grown memory, statics, stack,
// stdout; then ends as the rest of the query says (trap, exit, spin, or well). `?look` searches all of its memory, and
// pages it grows, for any copy, and tells how many it found: there must be none, ever.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { secret_bytes = 16, page_bytes = 65536, grown_pages = 4, copies = 64 };
static unsigned char kept[4096];
static unsigned char hidden[secret_bytes];  // the secret with every bit turned: itself must not be found

static void make_secret(unsigned char* to) {
  for (int i = 0; i < secret_bytes; ++i) to[i] = (unsigned char)('A' + 3 * i);  // text: it may come in a header too
}

static unsigned char* grow(void) {
  const size_t before = __builtin_wasm_memory_grow(0, grown_pages);
  return before == SIZE_MAX ? NULL : (unsigned char*)(before * page_bytes);
}

static void leave_secret(void) {
  unsigned char secret[secret_bytes];
  make_secret(secret);
  memcpy(kept + 100, secret, sizeof secret);
  for (int i = 0; i < copies; ++i) {
    unsigned char* block = malloc(5000);
    if (block != NULL) memcpy(block + 77 * i % 4000, secret, sizeof secret);
  }
  unsigned char* grown = grow();
  for (int i = 0; grown != NULL && i < grown_pages * 16; ++i) memcpy(grown + 4096 * i + 8, secret, sizeof secret);
  volatile unsigned char on_stack[2000];
  for (int i = 0; i < 2000; ++i) on_stack[i] = secret[i % secret_bytes];
  (void)on_stack[1];
}

static int look(void) {
  unsigned char* grown = grow();
  (void)grown;
  for (int i = 0; i < secret_bytes; ++i) hidden[i] = (unsigned char)~('A' + 3 * i);
  const unsigned char* const end = (const unsigned char*)(__builtin_wasm_memory_size(0) * page_bytes);
  int found = 0;
  for (const unsigned char* at = (const unsigned char*)1; at + secret_bytes <= end; ++at) {
    int same = 0;
    while (same < secret_bytes && at[same] == (unsigned char)~hidden[same]) ++same;
    found += same == secret_bytes;
  }
  return found;
}

int main(void) {
  const char* query = getenv("QUERY_STRING");
  if (query == NULL || strcmp(query, "look") == 0) {
    const int found = look();
    printf("Content-Type: text/plain\n\nfound %d\n", found);
    return 0;
  }
  leave_secret();
  write(STDOUT_FILENO, "Content-Type: text/plain\n\n", 26);
  write(STDOUT_FILENO, kept + 100, secret_bytes);
  if (strstr(query, "trap") != NULL) __builtin_trap();
  if (strstr(query, "exit") != NULL) exit(9);
  for (volatile uint64_t i = 0; strstr(query, "spin") != NULL; ++i) {
  }
  for (volatile uint64_t i = 0; strstr(query, "yield") != NULL && i < 3000000; ++i) {
  }
  return 0;
}
