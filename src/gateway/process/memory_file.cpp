#include "gateway/process/memory_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace tollgate::gateway {

expected<UniqueFd, std::string> make_memory_file(const char* name, std::string_view content) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return unexpected(fmt::format("memfd_create({}): {}", name, strerror(errno)));
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0) return unexpected(fmt::format("{}: {}", name, strerror(errno)));
    done += static_cast<std::size_t>(n);
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return unexpected(fmt::format("sealing {}: {}", name, strerror(errno)));
  }
  return fd;
}

expected<std::string, std::string> read_memory_file(int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return unexpected(fmt::format("fstat: {}", strerror(errno)));
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > memory_file_bytes_max) {
    return unexpected(std::string("a memory file over its bound"));
  }
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = pread(fd, content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (n <= 0)
      return unexpected(fmt::format("reading a memory file: {}", n < 0 ? strerror(errno) : "too short"));
    done += static_cast<std::size_t>(n);
  }
  return content;
}

}  // namespace tollgate::gateway
