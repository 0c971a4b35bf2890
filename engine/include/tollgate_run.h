/* Running requests: the entry points that Wasmtime's C API lacks or makes dear. One call each to make a sandbox and
 * enter its guest, to enter it for a further slice, and to drop it; no allocation here beyond what the engine itself needs.
 *
 * A worker's one thread makes, resumes and drops runs; nothing here is thread-safe. */
#ifndef TOLLGATE_RUN_H
#define TOLLGATE_RUN_H

#include <stddef.h>
#include <stdint.h>
#include <wasmtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a host function answers; the values are those of tollgate::sandbox::HostCall. */
enum { TOLLGATE_HOST_DONE = 0, TOLLGATE_HOST_END = 1, TOLLGATE_HOST_WAIT = 2 };

/* One function guests may import from `wasi_snapshot_preview1`. `signature` is "iIi:i": i = i32, I = i64, after the
 * colon the result if any. `function` is given back to the call and must outlive the linkers. */
typedef struct tollgate_import {
  const char *name;
  size_t name_length;
  const char *signature;
  size_t signature_length;
  const void *function;
  uint32_t waits; /* one of tollgate_waits: whether it may answer TOLLGATE_HOST_WAIT, which costs each call a little */
} tollgate_import;

enum tollgate_waits {
  TOLLGATE_WAITS_NEVER = 0,
  TOLLGATE_WAITS_FOR_STREAMS = 1, /* only in runs without streams_at_hand */
  TOLLGATE_WAITS_ALWAYS = 2,
};

/* Calls `function` for the guest of `host`. `slots` holds the arguments and takes the result, as in the engine's
 * unchecked calls. After TOLLGATE_HOST_WAIT it is called again, with the same arguments, when the run is resumed. */
typedef uint8_t (*tollgate_host_call)(void *host, const void *function, wasmtime_val_raw_t *slots);

typedef struct tollgate_linkers tollgate_linkers;
tollgate_linkers *tollgate_linkers_new(const wasm_engine_t *engine, const tollgate_import *functions, size_t count,
                         tollgate_host_call call, wasmtime_error_t **error);
void tollgate_linkers_delete(tollgate_linkers *linkers);

/* A loaded module with its imports resolved. */
typedef struct tollgate_program tollgate_program;
/* Takes no ownership of the module, which tollgate_engine_compile has made: its start function is the whole guest. */
tollgate_program *tollgate_program_new(const tollgate_linkers *linkers, const wasmtime_module_t *module, wasmtime_error_t **error);
void tollgate_program_delete(tollgate_program *program);

/* What one run shares with the engine. Must not move or die before tollgate_run_delete. */
typedef struct tollgate_run_context {
  void *host; /* given to each tollgate_host_call */
  uint64_t memory_bytes_max;
  uint64_t table_elements_max;
  bool growth_refused; /* written by the engine: a growth beyond these limits, or the module's own, was asked for */
  bool streams_at_hand; /* functions that wait for streams only will not, in this run */
} tollgate_run_context;

typedef struct tollgate_run {
  void *opaque[3];
} tollgate_run;

typedef enum tollgate_run_state_t {
  TOLLGATE_RUN_SUSPENDED = 0, /* at a tick, or inside a host call that waits: resume enters the guest again */
  TOLLGATE_RUN_RETURNED = 1,  /* the guest returned */
  TOLLGATE_RUN_ENDED = 2,     /* a host function said TOLLGATE_HOST_END */
  TOLLGATE_RUN_TRAPPED = 3,   /* *error has the trap */
  TOLLGATE_RUN_FAILED = 4,    /* *error says what the engine refused: instantiation, growth of its own structures */
} tollgate_run_state_t;

/* Makes a new Store and a new Instance and enters the guest, until it ends, waits, or passes the next epoch tick. The
 * host's new_stack is called between the two: before it nothing of the guest has run. Whatever the state:
 * tollgate_run_delete it. */
tollgate_run_state_t tollgate_run_begin(const tollgate_program *program, tollgate_run_context *context, tollgate_run *run, wasmtime_error_t **error);
/* Enters the guest again. Only while TOLLGATE_RUN_SUSPENDED. */
tollgate_run_state_t tollgate_run_resume(tollgate_run *run, wasmtime_error_t **error);
/* Drops Store and Instance. A suspended guest is unwound by the engine first; none of its code runs. */
void tollgate_run_delete(tollgate_run *run);

#ifdef __cplusplus
}
#endif
#endif
