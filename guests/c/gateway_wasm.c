// The gateway study's guest: answers with `wasm:` in front of what stdin holds. Written piece by piece, so that a
// small guest serves a body of any size.
#include <string.h>
#include <unistd.h>

static const char prefix[] = "wasm:";
static const size_t prefix_bytes = sizeof prefix - 1;
static char buffer[32 * 1024];

static int write_all(const char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = write(STDOUT_FILENO, bytes, count);
    if (written < 0) return -1;
    bytes += written;
    count -= (size_t)written;
  }
  return 0;
}

int main(void) {
  memcpy(buffer, prefix, prefix_bytes);
  size_t held = prefix_bytes;  // what is to be written: one write for a small body, as for a large one's pieces
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, buffer + held, sizeof buffer - held);
    if (got < 0) return 1;
    if (got == 0) break;
    held += (size_t)got;
    if (held == sizeof buffer) {
      if (write_all(buffer, held) != 0) return 1;
      held = 0;
    }
  }
  return write_all(buffer, held) == 0 ? 0 : 1;
}
