// A system call without the C library: for a child that shares its parent's memory (CLONE_VM) while the
// parent runs on, and with it the parent's errno.
#pragma once

namespace tollgate::gateway {

// The result, or the negated errno. Arguments are integers or pointers, as syscall(2) takes them.
#if defined(__x86_64__)
[[gnu::always_inline]] inline long raw_system_call(long number, long a = 0, long b = 0, long c = 0,
                                                   long d = 0) {
  register long fourth asm("r10") = d;
  asm volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return number;
}
#elif defined(__aarch64__)
[[gnu::always_inline]] inline long raw_system_call(long number, long a = 0, long b = 0, long c = 0,
                                                   long d = 0) {
  register long which asm("x8") = number;
  register long first asm("x0") = a;
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  register long fourth asm("x3") = d;
  asm volatile("svc #0" : "+r"(first) : "r"(which), "r"(second), "r"(third), "r"(fourth) : "memory");
  return first;
}
#else
#error "raw_system_call() has to be written for this processor"
#endif

template <class T>
[[gnu::always_inline]] inline long word(const T* pointer) {
  return reinterpret_cast<long>(pointer);
}

}  // namespace tollgate::gateway
