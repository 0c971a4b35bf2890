#include "gateway/spawn/engine_cache.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <tuple>
#include <vector>

#include "base/unique_name.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::size_t piece_bytes = 1u << 20;

struct Entry {
  std::string name;
  timespec used{};
  std::uint64_t bytes = 0;
};

bool older(const Entry& a, const Entry& b) {
  return std::tie(a.used.tv_sec, a.used.tv_nsec) < std::tie(b.used.tv_sec, b.used.tv_nsec);
}

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

bool copy(int from, int to) {
  off_t at = 0;
  for (ssize_t count; (count = sendfile(to, from, &at, piece_bytes)) != 0;) {
    if (count < 0 && errno != EINTR) return false;
  }
  return true;
}

}  // namespace

expected<EngineCache, std::string> EngineCache::open(const std::string& folder, std::uint64_t bytes_max) {
  const std::filesystem::path path(folder);
  const std::filesystem::path above = path.parent_path();
  std::error_code ignored;  // what is wrong is told when it is opened
  std::filesystem::create_directories(above.parent_path(), ignored);
  // The folder above may become the program store, which takes none that lets others in.
  for (const std::filesystem::path& made : {above, path}) ::mkdir(made.c_str(), S_IRWXU);
  UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened)
    return unexpected(fmt::format("{}: {}; name another folder by `cache`", folder, strerror(errno)));
  struct stat found{};
  const auto open_to_others = [&found] { return (found.st_mode & (S_IRWXG | S_IRWXO)) != 0; };
  if (fstat(opened.get(), &found) != 0 || found.st_uid != geteuid() ||
      (open_to_others() && fchmod(opened.get(), S_IRWXU) != 0)) {
    return unexpected(fmt::format("{} is not a folder of ours alone; name another one by `cache`", folder));
  }
  return EngineCache(std::move(opened), folder, bytes_max);
}

UniqueFd EngineCache::find(const std::string& name) const {
  UniqueFd file(openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file) futimens(file.get(), nullptr);
  return file;
}

expected<UniqueFd, std::string> EngineCache::keep(const std::string& name, int content) const {
  const auto failed = [this](const char* what) {
    return unexpected(fmt::format("{}: {}: {}", path_, what, strerror(errno)));
  };
  const std::string temporary = name + "." + unique_name();
  {
    // Readable for the user that runs it, who cannot reach it by its path.
    const UniqueFd file(openat(folder_.get(), temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!file) return failed("a new file");
    if (!copy(content, file.get()) || fchmod(file.get(), 0644) != 0 ||
        renameat(folder_.get(), temporary.c_str(), folder_.get(), name.c_str()) != 0) {
      const auto failure = failed("writing");
      unlinkat(folder_.get(), temporary.c_str(), 0);
      return failure;
    }
  }
  make_room(name);
  UniqueFd kept = find(name);
  if (!kept) return failed("reading it back");
  return kept;
}

// Leftovers of a crash are the least recently used some day.
void EngineCache::make_room(const std::string& just_written) const {
  const int again = openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseFolder> listing(again >= 0 ? fdopendir(again) : nullptr);
  if (!listing) return;
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  while (const dirent* item = readdir(listing.get())) {
    struct stat status{};
    if (fstatat(folder_.get(), item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      continue;
    const auto bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
    total += bytes;
    if (item->d_name != just_written) entries.push_back({item->d_name, status.st_mtim, bytes});
  }
  std::sort(entries.begin(), entries.end(), older);
  for (const Entry& entry : entries) {
    if (total <= bytes_max_) break;
    if (unlinkat(folder_.get(), entry.name.c_str(), 0) == 0) total -= entry.bytes;
  }
}

}  // namespace tollgate::gateway
