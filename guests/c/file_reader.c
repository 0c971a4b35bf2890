// cgi: opens the path that is its query and shows what is in it, or "refused" with the errno. A path behind `w:` is
// created or opened for writing instead.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  const char* query = getenv("QUERY_STRING");
  if (query == NULL) query = "";
  const int writes = strncmp(query, "w:", 2) == 0;
  const int fd = writes ? open(query + 2, O_WRONLY | O_CREAT | O_TRUNC, 0644) : open(query, O_RDONLY);
  printf("Content-Type: text/plain; charset=utf-8\n\n");
  if (fd < 0) {
    printf("refused: %s\n", strerror(errno));
    return 0;
  }
  if (writes) return write(fd, "written\n", 8) == 8 ? printf("written\n") < 0 : 1;
  char piece[4096];
  for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;) fwrite(piece, 1, (size_t)got, stdout);
  return 0;
}
