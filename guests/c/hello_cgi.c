// cgi: shows what a handler is told of its request: arguments, environment and body.
#include <stdio.h>
#include <unistd.h>

extern char** environ;

int main(int argc, char** argv) {
  printf("Content-Type: text/plain; charset=utf-8\n\n");
  for (int i = 0; i < argc; ++i) printf("argument %d: %s\n", i, argv[i]);
  for (char** variable = environ; *variable != NULL; ++variable) printf("%s\n", *variable);
  printf("\n");
  char piece[4096];
  for (size_t got; (got = fread(piece, 1, sizeof piece, stdin)) > 0;) fwrite(piece, 1, got, stdout);
  return 0;
}
