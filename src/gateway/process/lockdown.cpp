#include "gateway/process/lockdown.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace tollgate::gateway {
namespace {

constexpr std::uint32_t nobody_id = 65534;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::optional<message::Identity> look_up(const std::string& user) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen("/etc/passwd", "re"));
  if (!file) return std::nullopt;
  while (const passwd* entry = fgetpwent(file.get())) {
    if (user == entry->pw_name) return message::Identity{entry->pw_uid, entry->pw_gid};
  }
  return std::nullopt;
}

expected<void, std::string> become(const message::Identity& identity) {
  const auto failure = [&identity](const char* what) {
    return unexpected(fmt::format("{} for user {}: {}", what, identity.uid, strerror(errno)));
  };
  if (setgroups(0, nullptr) != 0) return failure("setgroups");
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0) return failure("setresgid");
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return failure("setresuid");
  return {};
}

}  // namespace

void close_stray_fds() { close_range(worker_channel_fd + 1, ~0U, 0); }

void raise_fd_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

expected<void, std::string> lock_down(const std::optional<message::Identity>& identity) {
  if (identity) {
    if (auto became = become(*identity); !became) return became;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return unexpected(fmt::format("no_new_privs: {}", strerror(errno)));
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return unexpected(fmt::format("RLIMIT_CORE: {}", strerror(errno)));
  return {};
}

expected<std::optional<message::Identity>, std::string> worker_identity(const std::string& user) {
  if (geteuid() != 0) return std::optional<message::Identity>();
  const std::string name = user.empty() ? "nobody" : user;
  if (const auto identity = look_up(name)) return identity;
  if (name == "nobody") return message::Identity{nobody_id, nobody_id};
  return unexpected(fmt::format("user: no user \"{}\" in /etc/passwd", name));
}

}  // namespace tollgate::gateway
