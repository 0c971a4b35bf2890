// What a build with a sanitizer takes more than the product, for bounds that are the product's.
#pragma once

#include <cstdint>

namespace tollgate::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// Times as long, with room for the start of a program of 500 MB.
inline constexpr int sanitizer_slowdown = sanitized ? 10 : 1;

// Times as much memory: each byte has shadow memory.
inline constexpr int sanitizer_memory_factor = sanitized ? 8 : 1;

// Freed blocks that the address sanitizer keeps, to notice who uses them still: a process grows by that much.
inline constexpr std::uint64_t sanitizer_quarantine_kib = sanitized ? 256u << 10 : 0;

}  // namespace tollgate::testing
