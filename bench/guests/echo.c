// The smallest program a spawn route can run: answers what it reads. Linked statically, so that what is priced is
// the process and not the dynamic loader.
#include <unistd.h>

int main(void) {
  static char piece[4096];
  for (ssize_t count; (count = read(0, piece, sizeof piece)) > 0;) {
    if (write(1, piece, (size_t)count) != count) return 1;
  }
  return 0;
}
