// A file that a command line names, whole.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::cli {

// Or why not: "cannot be read: Is a directory".
inline expected<std::string, std::string> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return unexpected("cannot be opened: " + std::string(std::strerror(errno)));
  std::string content;
  std::array<char, 64 * 1024> piece;
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unexpected("cannot be read: " + std::string(std::strerror(errno)));
    if (got == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace tollgate::cli
