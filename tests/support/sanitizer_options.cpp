// What a sanitizer's runtime does in every program that is built with one, tollgate itself included. Compiled
// in, because tests and tollgate start programs with environments of their own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__  // clang's way of saying it
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)

#include <sanitizer/lsan_interface.h>
#include <unistd.h>

#if !defined(__clang__)  // whose libFuzzer leaves by it too, in the midst of anything
// Workers leave by _Exit, where leaks are not looked for. This one is taken instead of the C library's.
extern "C" void _Exit(int code) {
  constexpr int leaks_found = 23;  // as the sanitizer's own
  _exit(__lsan_do_recoverable_leak_check() != 0 ? leaks_found : code);
}
#endif

extern "C" const char* __asan_default_options() {
  return "allow_user_segv_handler=1:"    // slots have one, which passes on what is not theirs
         "allocator_may_return_null=1";  // as malloc does where RLIMIT_AS ends it
}

extern "C" const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1";
}

extern "C" const char* __lsan_default_options() {
  return "print_suppressions=0";
}

extern "C" const char* __lsan_default_suppressions() {
  return
      // engine/src/recycler.rs keeps freed blocks for the thread that freed them; those of a thread that has
      // ended stay.
      "leak:tollgate_sha256_new\n"
      // What a guest holds that is suspended when its worker leaves: nobody looks at the stacks of fibers.
      "leak:tollgate_engine::run::activate\n";
}

#elif defined(__SANITIZE_THREAD__)

extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:allocator_may_return_null=1:"
         "report_signal_unsafe=0:"  // the engine's handler allocates after a fault in a guest, never
                                    // elsewhere
         // The engine is Rust and not instrumented: what its threads do would be seen where they call memcpy
         // or malloc, but not the atomics that order it.
         "ignore_interceptors_accesses=1";
}

#endif
