// The initial content of a program's memory, as a file. Slots map it privately; resets copy hot pages back
// from one read-only view of it that all slots of the program share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::sandbox {

class MemoryImage {
 public:
  // No image: memory starts as zeroes.
  MemoryImage() = default;
  // The `bytes` of the file from `offset`, both multiples of the page size and inside the file; else, or when
  // the kernel refuses the mapping, the error is errno's value. The file must not change while it is mapped.
  static expected<MemoryImage, int> map(UniqueFd file, std::size_t offset, std::size_t bytes);

  MemoryImage(MemoryImage&& other) noexcept;
  MemoryImage& operator=(MemoryImage&& other) noexcept;
  ~MemoryImage();

  int fd() const { return file_.get(); }
  std::size_t offset() const { return offset_; }  // in the file
  std::size_t bytes() const { return bytes_; }
  const std::uint8_t* data() const { return view_; }  // null without an image

 private:
  UniqueFd file_;
  const std::uint8_t* view_ = nullptr;
  std::size_t offset_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tollgate::sandbox
