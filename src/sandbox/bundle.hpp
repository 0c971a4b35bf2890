// What compiling one module gives: machine code, the initial image of its memory, and a manifest. Made in the
// compiler child, kept in the cache, loaded by workers from descriptors.
//
// All three travel in one file, the *container* (bundle_file.hpp), which is also what `tollgate compile`
// writes: the code lies at its beginning, because the engine maps files from there, the image at a page
// border behind it.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"

namespace tollgate::sandbox {

// Of the manifest below and of our rewrite (engine/src/rewrite.rs); another format is another cache key.
inline constexpr int manifest_format = 3;

struct Manifest {
  int format = manifest_format;
  std::string module_digest;           // hex SHA-256 of the .wasm
  std::string engine;                  // engine_fingerprint() of the compiler; must equal the loader's
  std::string name;                    // file name without folder and ending, for logs
  std::string entry;                   // "_start" or "_initialize": what instantiating the code calls
  std::uint64_t memory_pages_min = 0;  // of 64 KiB
  std::uint64_t memory_pages_max = 65536;
  std::uint64_t code_bytes = 0;    // from offset 0 of BundleFds::code
  std::uint64_t image_bytes = 0;   // memory_pages_min * 64 KiB when there is an image, else 0
  std::uint64_t image_offset = 0;  // where the image begins in BundleFds::image: a multiple of 4096
};

inline constexpr std::uint64_t wasm_page_bytes = 64u << 10;

// Position-independent pieces of a bundle as open descriptors; the code file is what the engine maps. Both
// may name the same file. Nobody writes to it any more.
struct BundleFds {
  Manifest manifest;
  UniqueFd code;
  UniqueFd image;  // -1 when image_bytes is 0
};

}  // namespace tollgate::sandbox
