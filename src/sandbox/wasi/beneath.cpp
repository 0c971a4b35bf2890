#include "sandbox/wasi/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/wasi/limits.hpp"

namespace tollgate::sandbox::wasi {

expected<std::string, Errno> load_path(GuestMemory memory, std::uint32_t address, std::uint32_t length) {
  const auto bytes = memory.range(address, length);
  if (!bytes) return unexpected(Errno::fault);
  if (length >= path_bytes_max) return unexpected(Errno::nametoolong);
  std::string path(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (path.empty()) return unexpected(Errno::noent);
  if (path.find('\0') != std::string::npos) return unexpected(Errno::inval);
  return path;
}

expected<UniqueFd, Errno> open_beneath(int directory, const std::string& path, int flags, mode_t mode,
                                       LastLink last_link) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | (last_link == LastLink::keep ? O_NOFOLLOW : 0));
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < resolve_attempts_max; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return unexpected(errno == EXDEV ? Errno::notcapable : from_host(errno));
}

expected<Parent, Errno> open_parent(int directory, const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return unexpected(Errno::notcapable);  // "/", "//": absolute
  const std::size_t slash = path.find_last_of('/', end);
  Parent parent;
  parent.names_directory = end + 1 < path.size();
  parent.name = slash == std::string::npos ? path.substr(0, end + 1) : path.substr(slash + 1, end - slash);
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto opened = open_beneath(directory, above, O_PATH | O_DIRECTORY, 0, LastLink::follow);
  if (!opened) return unexpected(opened.error());
  parent.directory = std::move(*opened);
  return parent;
}

}  // namespace tollgate::sandbox::wasi
