// stdio: answers with what it was sent.
#include <unistd.h>

static char buffer[32 * 1024];

int main(void) {
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
    if (got <= 0) return got == 0 ? 0 : 1;
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = write(STDOUT_FILENO, buffer + done, (size_t)(got - done));
      if (written < 0) return 1;
      done += written;
    }
  }
}
