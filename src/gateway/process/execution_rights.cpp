#include "gateway/process/execution_rights.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <span>
#include <vector>

#include "gateway/config/program_path.hpp"

namespace tollgate::gateway {
namespace {

// This thread's alone: the C library's function changes them for the whole process.
void set_own_groups(std::span<const gid_t> groups) {
  syscall(SYS_setgroups, groups.size(), groups.data());
}

// This thread's file accesses are another user's for the guard's life (setfsuid(2)), who is in no other
// groups.
class AsUser {
 public:
  explicit AsUser(const std::optional<message::Identity>& identity) : changed_(identity.has_value()) {
    if (!changed_) return;
    const int count = getgroups(0, nullptr);
    groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    getgroups(count, groups_.data());
    set_own_groups({});
    setfsgid(identity->gid);
    setfsuid(identity->uid);
  }
  ~AsUser() {
    if (!changed_) return;
    setfsuid(geteuid());
    setfsgid(getegid());
    set_own_groups(groups_);
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool changed_;
  std::vector<gid_t> groups_;
};

struct Programs {
  std::set<std::string>& paths;
  void operator()(const SpawnBackend& spawn, const Route&) const { paths.insert(spawn.argv.front()); }
  void operator()(const WasmBackend& wasm, const Route&) const {
    if (!wasm.engine.empty()) paths.insert(wasm.engine.front());
  }
};

bool may_execute(const std::string& program) {
  return faccessat(AT_FDCWD, program.c_str(), X_OK, AT_EACCESS) == 0;
}

// Who starts the gateway may have a PATH of their own, with folders that only they can enter.
std::string remedy_for(const std::string& program) {
  const auto other = find_on_path(program.substr(program.rfind('/') + 1), path_default);
  return other && may_execute(*other) ? "name " + *other + " instead" : "put it where that user can reach it";
}

}  // namespace

expected<void, std::string> check_execution_rights(const Config& config,
                                                   const std::optional<message::Identity>& identity) {
  std::set<std::string> paths;
  for_each_handler(config.routes, Programs{paths});
  const AsUser as_user(identity);
  for (const std::string& path : paths) {
    if (may_execute(path)) continue;
    const char* const why = strerror(errno);
    const std::string who =
        identity ? fmt::format("user {}, whom programs run as,", identity->uid) : "this user";
    return unexpected(fmt::format("{}: {} may not execute it ({}): {}, or name another user by `user`", path,
                                  who, why, remedy_for(path)));
  }
  return {};
}

}  // namespace tollgate::gateway
