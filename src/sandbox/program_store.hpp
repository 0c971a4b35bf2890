// The cache of compiled programs: a folder of containers (bundle_file.hpp), one per module, engine and
// format.
//
// Loading code is executing it, and no checksum in a file proves who wrote it. So the folder is what is
// trusted: it must be a real folder (no symbolic link), owned by our user and closed to everybody else,
// checked on the opened descriptor, which is then the only way in (openat). Entries come by rename, so a
// reader sees the old one or the new one; the digest in each finds what a crash or a bad disk did. An entry
// that is damaged, or was made by another engine, configuration or version of ours, is removed and counts as
// absent.
//
// Threads: one at a time. Processes: any number may share a folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::sandbox {

// What an entry must have been made of and by.
struct ProgramKey {
  std::string module_digest;  // hex SHA-256 of the .wasm
  std::string engine;         // engine_fingerprint()

  std::string file_name() const;
};

class ProgramStore {
 public:
  static constexpr std::uint64_t bytes_max_default = 2ull << 30;  // disk used, least recently used goes first

  // Makes the folder (mode 0700) when it is missing. The error is a sentence that names the folder and what
  // is wrong.
  static expected<ProgramStore, std::string> open(const std::string& folder,
                                                  std::uint64_t bytes_max = bytes_max_default);

  // Verified descriptors of an entry, which from now on is the most recently used; nullopt when there is
  // none.
  std::optional<BundleFds> find(const ProgramKey& key);

  // Copies a verified bundle into the folder under its key, makes room if need be, and returns descriptors of
  // the copy. The given ones stay good when that fails (no space left).
  expected<BundleFds, std::string> keep(const ProgramKey& key, const BundleFds& bundle);

 private:
  ProgramStore(UniqueFd folder, std::uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}

  void make_room(const std::string& just_written);

  UniqueFd folder_;
  std::uint64_t bytes_max_;
};

// $XDG_CACHE_HOME/tollgate/programs or ~/.cache/tollgate/programs; /var/cache/tollgate/programs for a root
// without a home.
std::string default_program_folder();

}  // namespace tollgate::sandbox
