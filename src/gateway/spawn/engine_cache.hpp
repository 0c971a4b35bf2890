// What engines' command lines compiled: a folder of files, each named by what it was made of. They are
// executed, so the folder must be ours alone.
//
// Threads: one at a time. Processes: any number may share a folder.
#pragma once

#include <cstdint>
#include <string>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

class EngineCache {
 public:
  static constexpr std::uint64_t bytes_max_default = 1ull << 30;  // disk used; least recently used goes first

  // Makes the folder, and the one it is in, when they are missing (mode 0700). The error is a sentence that
  // names it and the remedy.
  static expected<EngineCache, std::string> open(const std::string& folder,
                                                 std::uint64_t bytes_max = bytes_max_default);

  // The file, which from now on is the most recently used; invalid when there is none.
  UniqueFd find(const std::string& name) const;

  // Copies the content in under that name, makes room if need be, and opens the copy. The error is a
  // sentence.
  expected<UniqueFd, std::string> keep(const std::string& name, int content) const;

 private:
  EngineCache(UniqueFd folder, std::string path, std::uint64_t bytes_max)
      : folder_(std::move(folder)), path_(std::move(path)), bytes_max_(bytes_max) {}

  void make_room(const std::string& just_written) const;

  UniqueFd folder_;
  std::string path_;  // for sentences
  std::uint64_t bytes_max_;
};

}  // namespace tollgate::gateway
