#include "sandbox/program_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/unique_name.hpp"
#include "sandbox/bundle_file.hpp"
#include "sandbox/sha256.hpp"
#include "sandbox/sparse_file.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::string_view entry_suffix = ".cwasm";
constexpr std::string_view temporary_prefix = ".new-";
constexpr std::chrono::hours temporary_age_max{1};  // older ones belong to nobody any more

std::string system_reason() {
  return std::strerror(errno);
}

bool only_ours(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & 077) == 0;
}

// The module's and the engine's hash are in the name only as a digest of both: names stay short and say
// nothing.
std::string key_digest(const ProgramKey& key) {
  const std::string text = fmt::format("{}\n{}\nformat {}", key.module_digest, key.engine, manifest_format);
  return sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

struct Entry {
  std::string name;
  timespec used;
  std::uint64_t bytes;
};

bool older(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

struct CloseDir {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

std::string ProgramKey::file_name() const {
  return key_digest(*this) + std::string(entry_suffix);
}

expected<ProgramStore, std::string> ProgramStore::open(const std::string& folder, std::uint64_t bytes_max) {
  const auto refuse = [&folder](const std::string& reason) {
    return unexpected(fmt::format("the program cache {} cannot be used: {}", folder, reason));
  };
  std::error_code problem;
  const auto parent = std::filesystem::path(folder).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, problem);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return refuse(system_reason());

  UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) {
    if (errno == ELOOP || errno == ENOTDIR) return refuse("it is a symbolic link or no folder");
    return refuse(system_reason());
  }
  struct stat status{};
  if (::fstat(opened.get(), &status) != 0) return refuse(system_reason());
  if (status.st_uid != ::geteuid()) {
    return refuse(fmt::format("it belongs to user {}, not to us ({})", status.st_uid, ::geteuid()));
  }
  if ((status.st_mode & 077) != 0) {
    return refuse(fmt::format("its mode {:04o} lets others in (chmod 0700)", status.st_mode & 07777));
  }
  return ProgramStore(std::move(opened), bytes_max);
}

std::optional<BundleFds> ProgramStore::find(const ProgramKey& key) {
  const std::string name = key.file_name();
  UniqueFd file(::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return std::nullopt;  // whatever is there, a new entry takes its place by rename
  struct stat status{};
  const bool ours = ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && only_ours(status);
  if (ours) {
    ::futimens(file.get(), nullptr);  // used now; a failure only makes it go earlier
    auto bundle = open_bundle(std::move(file));
    if (bundle && bundle->manifest.module_digest == key.module_digest &&
        bundle->manifest.engine == key.engine) {
      return std::move(*bundle);
    }
  }
  ::unlinkat(folder_.get(), name.c_str(), 0);
  return std::nullopt;
}

expected<BundleFds, std::string> ProgramStore::keep(const ProgramKey& key, const BundleFds& bundle) {
  const std::string name = key.file_name();
  const std::string temporary = std::string(temporary_prefix) + unique_name();
  const auto refuse = [this, &temporary](const char* what) {
    std::string sentence = fmt::format("cannot be kept in the program cache: {}: {}", what, system_reason());
    ::unlinkat(folder_.get(), temporary.c_str(), 0);
    return unexpected(std::move(sentence));
  };
  UniqueFd target(
      ::openat(folder_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target) return refuse("open");
  struct stat status{};
  if (::fstat(bundle.code.get(), &status) != 0) return refuse("fstat");
  if (!copy_sparse(bundle.code.get(), target.get(), status.st_size)) return refuse("write");
  // Written back soon: until then the code's pages count as the private, dirty memory of whoever maps them.
  ::sync_file_range(target.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  target.reset();

  // Opened again before it gets its name: whatever is renamed over it later, these are the bytes that were
  // written.
  UniqueFd code(::openat(folder_.get(), temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!code) return refuse("open");
  BundleFds kept{bundle.manifest, std::move(code), UniqueFd()};
  if (kept.manifest.image_bytes > 0) {
    kept.image.reset(::fcntl(kept.code.get(), F_DUPFD_CLOEXEC, 3));
    if (!kept.image) return refuse("fcntl");
  }
  if (::renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) != 0) return refuse("rename");
  make_room(name);
  return kept;
}

void ProgramStore::make_room(const std::string& just_written) {
  const int again = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDir> listing(again >= 0 ? ::fdopendir(again) : nullptr);
  if (listing == nullptr) return;
  const auto abandoned_before =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() - temporary_age_max);
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  while (const dirent* item = ::readdir(listing.get())) {
    const std::string name = item->d_name;
    struct stat status{};
    if (::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (name.starts_with(temporary_prefix) && status.st_mtim.tv_sec < abandoned_before) {
      ::unlinkat(folder_.get(), name.c_str(), 0);
    }
    if (!name.ends_with(entry_suffix)) continue;
    const auto bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
    total += bytes;
    if (name != just_written) entries.push_back({name, status.st_mtim, bytes});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return older(a.used, b.used); });
  for (const Entry& entry : entries) {
    if (total <= bytes_max_) break;
    if (::unlinkat(folder_.get(), entry.name.c_str(), 0) == 0) total -= entry.bytes;
  }
}

std::string default_program_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value : "");
  };
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/tollgate/programs";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/tollgate/programs";
  return "/var/cache/tollgate/programs";
}

}  // namespace tollgate::sandbox
