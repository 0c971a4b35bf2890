// cgi: sleeps (?ms=N, default 1000), says so and gives a short body back: holds a sandbox, but no worker.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  const char* query = getenv("QUERY_STRING");
  long ms = 1000;
  if (query != NULL && strncmp(query, "ms=", 3) == 0) ms = atol(query + 3);
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  if (nanosleep(&time, NULL) != 0) return 1;
  char body[64];
  const ssize_t bytes = read(STDIN_FILENO, body, sizeof body);
  printf("Content-Type: text/plain\n\nslept %ld ms\n%.*s", ms, bytes < 0 ? 0 : (int)bytes, body);
  return 0;
}
