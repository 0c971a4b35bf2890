// Paths of a guest, resolved beneath a granted directory by the kernel and nothing else: openat2(2) with
// RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS. "..", absolute paths and symbolic links may be used as long as
// no step of the resolution leaves the directory, whatever is renamed meanwhile.
//
// Operations that have no openat2 of their own (mkdir, rename, ...) resolve the parent this way and then act
// on the last name only, which no such call follows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "sandbox/guest.hpp"
#include "sandbox/wasi/errno.hpp"

namespace tollgate::sandbox::wasi {

enum class LastLink : std::uint8_t { follow, keep };  // when the path ends in a symbolic link

// A path copied out of guest memory, ended by NUL. Not empty, at most path_bytes_max, no NUL inside.
expected<std::string, Errno> load_path(GuestMemory memory, std::uint32_t address, std::uint32_t length);

// A path that leads out of the directory is `notcapable`.
expected<UniqueFd, Errno> open_beneath(int directory, const std::string& path, int flags, mode_t mode,
                                       LastLink last_link);

// The directory of a path's last component, and that component.
struct Parent {
  UniqueFd directory;            // O_PATH
  std::string name;              // never "" and without a slash
  bool names_directory = false;  // the path ended in a slash

  bool is_dots() const { return name == "." || name == ".."; }  // no name to act on
};
expected<Parent, Errno> open_parent(int directory, const std::string& path);

}  // namespace tollgate::sandbox::wasi
