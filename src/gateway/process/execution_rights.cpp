#include "gateway/process/execution_rights.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

namespace tollgate::gateway {
namespace {

// This thread's file accesses are another user's for the guard's life (setfsuid(2)).
class AsUser {
 public:
  explicit AsUser(const std::optional<message::Identity>& identity) : changed_(identity.has_value()) {
    if (!changed_) return;
    setfsgid(identity->gid);
    setfsuid(identity->uid);
  }
  ~AsUser() {
    if (!changed_) return;
    setfsuid(geteuid());
    setfsgid(getegid());
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool changed_;
};

struct Programs {
  std::set<std::string>& paths;
  void operator()(const SpawnBackend& spawn, const Route&) const { paths.insert(spawn.argv.front()); }
  void operator()(const WasmBackend& wasm, const Route&) const {
    if (!wasm.engine.empty()) paths.insert(wasm.engine.front());
  }
};

// Who starts the gateway may have a PATH of their own, with folders that only they can enter.
std::string remedy_for(const std::string& program) {
  const std::string name = program.substr(program.rfind('/') + 1);
  for (const char* const folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    const std::string other = folder + name;
    if (faccessat(AT_FDCWD, other.c_str(), X_OK, AT_EACCESS) == 0) return "name " + other + " instead";
  }
  return "put it where that user can reach it";
}

}  // namespace

expected<void, std::string> check_execution_rights(const Config& config,
                                                   const std::optional<message::Identity>& identity) {
  std::set<std::string> paths;
  for_each_handler(config.routes, Programs{paths});
  const AsUser as_user(identity);
  for (const std::string& path : paths) {
    if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) continue;
    const char* const why = strerror(errno);
    const std::string who =
        identity ? fmt::format("user {}, whom programs run as,", identity->uid) : "this user";
    return unexpected(fmt::format("{}: {} may not execute it ({}): {}, or name another user by `user`", path,
                                  who, why, remedy_for(path)));
  }
  return {};
}

}  // namespace tollgate::gateway
