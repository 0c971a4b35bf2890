// The container: one file holding a bundle.
//
//   0               machine code, as the engine maps it
//   4096-aligned    the image, memory_pages_min * 64 KiB; pages of zeros are holes
//   then            the manifest, one line of JSON
//   last 56 bytes   "TOLLGATE", offset and length of the manifest, SHA-256 over code, image and manifest
//
// The digest finds truncation and flipped bits. It proves nothing about who wrote the file: loading code is
// executing it, so a container is only as trustworthy as the folder it came from.
//
// Threads: any; nothing is shared. Errors are sentences to follow the file's name and a colon.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::sandbox {

inline constexpr std::uint64_t image_page_bytes = 4096;

// Consecutive pages with content; offset and length are multiples of image_page_bytes.
struct ImageRun {
  std::uint64_t offset = 0;
  std::span<const std::uint8_t> bytes;
};

struct BundleContent {
  Manifest manifest;  // the code_bytes and image_* fields are set by write_bundle
  std::span<const std::uint8_t> code;
  std::vector<ImageRun> image;  // empty: memory starts as zeroes
};

// Fills an empty file.
expected<void, std::string> write_bundle(int file, const BundleContent& content);

// Reads the whole container and checks everything about it, the digest included; then hands out descriptors
// of it. Whether this engine can run it, and whether its origin is trusted, is the caller's question.
expected<BundleFds, std::string> open_bundle(UniqueFd file);

}  // namespace tollgate::sandbox
