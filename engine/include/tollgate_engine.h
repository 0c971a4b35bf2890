/* The entry points of ours that Wasmtime's C API lacks (engine/src/). Used by sandbox/ only.
 *
 * Errors are values: a returned or stored wasmtime_error_t* is not null on failure and belongs to the caller
 * (wasmtime_error_delete). Threads: an engine may be shared by threads; everything else belongs to one. */
#ifndef TOLLGATE_ENGINE_H
#define TOLLGATE_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <wasm.h>
#include <wasmtime.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tollgate_engine_kind {
  TOLLGATE_ENGINE_HOT_SET = 0,         /* the product: on-demand instances, the host's memories and stacks */
  TOLLGATE_ENGINE_POOLING_DEFAULT = 1, /* the engine's own pool as stock hosts use it: the benchmarks' baseline */
};

/* Where memories and stacks come from. Each `new_` gives the lowest byte, or null to refuse, and sets *owner, which the
 * others are called with. A memory has its initial content and is reserved for 4 GiB with 32 MiB of guard on either
 * side; a stack is page-aligned, with a guard below. Called on the thread that uses the engine, while it instantiates,
 * grows and drops. */
typedef struct tollgate_host {
  void *env;
  uint8_t *(*new_memory)(void *env, size_t initial_bytes, void **owner);
  bool (*grow_memory)(void *owner, size_t bytes);
  void (*drop_memory)(void *owner);
  uint8_t *(*new_stack)(void *env, size_t bytes, void **owner);
  void (*drop_stack)(void *owner);
} tollgate_host_t;

/* All zero: the engine's own memories and stacks (enough to compile), default stack sizes. The host is copied; its
 * environment must outlive the engine. Sizes: a guest's own calls may use wasm_stack_bytes of its fiber's
 * fiber_stack_bytes; the rest is for host functions. */
typedef struct tollgate_engine_options {
  const tollgate_host_t *host;
  size_t wasm_stack_bytes;
  size_t fiber_stack_bytes;
} tollgate_engine_options_t;

/* Null and *error set when the configuration cannot work. Making the process's first engine installs handlers for
 * SIGSEGV, SIGILL, SIGFPE and SIGBUS that chain to those before. Delete with wasm_engine_delete. */
wasm_engine_t *tollgate_engine_new(uint32_t kind, const tollgate_engine_options_t *options, wasmtime_error_t **error);

/* "wasmtime-VERSION-HASH", zero-terminated: engine version, configuration and CPU features. Code compiled under one
 * fingerprint loads under no other. */
#define TOLLGATE_ENGINE_FINGERPRINT_BYTES 64
void tollgate_engine_fingerprint(const wasm_engine_t *engine, char out[TOLLGATE_ENGINE_FINGERPRINT_BYTES]);

/* A function of wasi_snapshot_preview1 that the host provides. The signature is as in sandbox/guest.hpp: "iIi:i". */
typedef struct tollgate_host_function {
  const char *name;
  size_t name_bytes;
  const char *signature;
  size_t signature_bytes;
} tollgate_host_function_t;

typedef struct tollgate_compile_input {
  const uint8_t *wasm;
  size_t wasm_bytes;
  const tollgate_host_function_t *functions;
  size_t functions_count;
  uint64_t memory_bytes_max; /* a larger initial memory is refused */
} tollgate_compile_input_t;

/* Pages of the initial memory that are not all zero: offset and length are multiples of 4096. */
typedef struct tollgate_image_run {
  uint64_t offset;
  const uint8_t *bytes;
  size_t length;
} tollgate_image_run_t;

typedef struct tollgate_compiled tollgate_compiled_t;

/* Validates, rewrites and compiles a core module; runs nothing of it. Takes as long and as much memory as the module
 * wants: only for processes that may be killed. The error is a sentence to follow the module's name and a colon. */
wasmtime_error_t *tollgate_engine_compile(const wasm_engine_t *engine, const tollgate_compile_input_t *input,
                                          tollgate_compiled_t **out);

/* The same without compiling: the view's code is the rewritten module. For tests and fuzzing. */
wasmtime_error_t *tollgate_rewrite(const tollgate_compile_input_t *input, tollgate_compiled_t **out);

/* Views into the compiled module, valid until it is deleted. Memory sizes are in pages of 64 KiB. */
typedef struct tollgate_compiled_view {
  const uint8_t *code; /* for tollgate_engine_load, from offset 0 of a file; bytes after it in the file do no harm */
  size_t code_bytes;
  const tollgate_image_run_t *image_runs;
  size_t image_runs_count;
  uint64_t memory_pages_min;
  uint64_t memory_pages_max;
  const char *entry; /* "_start" or "_initialize": what instantiation calls, after the module's start function */
} tollgate_compiled_view_t;
void tollgate_compiled_facts(const tollgate_compiled_t *compiled, tollgate_compiled_view_t *out);
void tollgate_compiled_delete(tollgate_compiled_t *compiled);

/* Maps compiled code from a descriptor, which it takes and closes with the module. The code of another fingerprint is
 * an error. Forged code is code execution: only from files whose origin is trusted, and that nobody changes. */
wasmtime_error_t *tollgate_engine_load(const wasm_engine_t *engine, int code_fd, wasmtime_module_t **out);

/* SHA-256 of a stream of bytes. finish deletes the state. */
typedef struct tollgate_sha256 tollgate_sha256_t;
tollgate_sha256_t *tollgate_sha256_new(void);
void tollgate_sha256_update(tollgate_sha256_t *state, const uint8_t *bytes, size_t length);
void tollgate_sha256_finish(tollgate_sha256_t *state, uint8_t out[32]);

#ifdef __cplusplus
}
#endif
#endif
