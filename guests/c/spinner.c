// cgi: computes for some wall time (?ms=N, default for ever).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(void) {
  const char* query = getenv("QUERY_STRING");
  const long ms = query != NULL && strncmp(query, "ms=", 3) == 0 ? atol(query + 3) : -1;
  const long begun = now_ms();
  volatile unsigned turns = 0;
  while (ms < 0 || now_ms() - begun < ms) {
    for (int i = 0; i < 100000; ++i) ++turns;
  }
  printf("Content-Type: text/plain\n\nspun %ld ms\n", ms);
  return 0;
}
