#include "sandbox/memory/image.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "sandbox/memory/slot.hpp"

namespace tollgate::sandbox {

expected<MemoryImage, int> MemoryImage::map(UniqueFd file, std::size_t offset, std::size_t bytes) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return unexpected(errno);
  const auto file_bytes = static_cast<std::size_t>(status.st_size);
  if (bytes == 0 || bytes % page_bytes != 0 || offset % page_bytes != 0) return unexpected(EINVAL);
  if (offset > file_bytes || bytes > file_bytes - offset) return unexpected(EINVAL);
  void* view = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), static_cast<off_t>(offset));
  if (view == MAP_FAILED) return unexpected(errno);
  MemoryImage image;
  image.file_ = std::move(file);
  image.view_ = static_cast<const std::uint8_t*>(view);
  image.offset_ = offset;
  image.bytes_ = bytes;
  return image;
}

MemoryImage::MemoryImage(MemoryImage&& other) noexcept
    : file_(std::move(other.file_)),
      view_(std::exchange(other.view_, nullptr)),
      offset_(other.offset_),
      bytes_(std::exchange(other.bytes_, 0)) {}

MemoryImage& MemoryImage::operator=(MemoryImage&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(view_, other.view_);
  std::swap(offset_, other.offset_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MemoryImage::~MemoryImage() {
  if (view_ != nullptr) ::munmap(const_cast<std::uint8_t*>(view_), bytes_);
}

}  // namespace tollgate::sandbox
