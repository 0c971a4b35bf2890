/* The gateway study's guest with 1 MiB of initialised data: what such a program costs per request when each gets
 * fresh memory. */
#include "gateway_wasm.c"

enum { data_bytes = 1 << 20 };

__attribute__((used, retain)) unsigned char data[data_bytes] = {[0 ... data_bytes - 1] = 7};
