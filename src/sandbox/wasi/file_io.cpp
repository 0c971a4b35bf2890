#include "sandbox/wasi/file_io.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tollgate::sandbox::wasi {

expected<std::uint32_t, Errno> read_file(Descriptors& descriptors, const Descriptor& file, const Iovecs& to,
                                         std::optional<std::uint64_t> offset) {
  if (offset && *offset > INT64_MAX) return unexpected(Errno::inval);
  const std::span<char> bounce = descriptors.bounce();
  std::size_t wanted = 0;
  for (std::uint32_t i = 0; i < to.count() && wanted < bounce.size(); ++i) {
    const auto buffer = to.at(i);
    wanted += std::min(bounce.size() - wanted, buffer ? buffer->size() : 0);
  }
  const ssize_t got = offset ? ::pread(file.host, bounce.data(), wanted, static_cast<off_t>(*offset))
                             : ::read(file.host, bounce.data(), wanted);
  if (got < 0) return unexpected(from_host(errno));
  std::span<const char> rest = bounce.first(static_cast<std::size_t>(got));
  for (std::uint32_t i = 0; i < to.count() && !rest.empty(); ++i) {
    const auto buffer = to.at(i);
    if (!buffer) return unexpected(Errno::fault);
    const std::size_t bytes = std::min(buffer->size(), rest.size());
    if (bytes != 0) std::memcpy(buffer->data(), rest.data(), bytes);
    rest = rest.subspan(bytes);
  }
  return static_cast<std::uint32_t>(static_cast<std::size_t>(got) - rest.size());
}

expected<std::uint32_t, Errno> write_file(Descriptors& descriptors, const Descriptor& file,
                                          const Iovecs& from, std::optional<std::uint64_t> offset) {
  const std::span<char> bounce = descriptors.bounce();
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < from.count() && bytes < bounce.size(); ++i) {
    const auto buffer = from.at(i);
    if (!buffer) return unexpected(Errno::fault);
    const std::size_t part = std::min(bounce.size() - bytes, buffer->size());
    if (part != 0) std::memcpy(bounce.data() + bytes, buffer->data(), part);
    bytes += part;
  }
  std::uint64_t position = offset.value_or(0);
  const bool appends = (file.flags & fdflags::append) != 0;
  if (!offset || appends) {  // Linux appends even at an offset (pwrite(2), BUGS)
    const off_t here = ::lseek(file.host, 0, appends ? SEEK_END : SEEK_CUR);
    if (here < 0) return unexpected(from_host(errno));
    position = static_cast<std::uint64_t>(here);
  }
  if (position > file_bytes_max || position + bytes > file_bytes_max) return unexpected(Errno::fbig);
  const ssize_t put = offset ? ::pwrite(file.host, bounce.data(), bytes, static_cast<off_t>(*offset))
                             : ::write(file.host, bounce.data(), bytes);
  if (put < 0) return unexpected(from_host(errno));
  return static_cast<std::uint32_t>(put);
}

}  // namespace tollgate::sandbox::wasi
