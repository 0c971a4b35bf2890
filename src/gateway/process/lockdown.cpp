#include "gateway/process/lockdown.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/unprivileged.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::uint32_t no_id = ~0U;  // "unchanged" to setresuid(2)

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

// "1000" or "1000:100", as containers name users, where no /etc/passwd knows them.
std::optional<message::Identity> parse_ids(std::string_view text) {
  message::Identity identity{};
  const char* const end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, identity.uid);
  identity.gid = identity.uid;
  if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == ':') {
    parsed = std::from_chars(parsed.ptr + 1, end, identity.gid);
  }
  if (parsed.ec != std::errc() || parsed.ptr != end || identity.uid == no_id || identity.gid == no_id)
    return std::nullopt;
  return identity;
}

bool may_become_another_user() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  constexpr std::uint32_t wanted = 1u << CAP_SETUID | 1u << CAP_SETGID;
  return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & wanted) == wanted;
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

void name_process(const char* name) {
  prctl(PR_SET_NAME, name, 0, 0, 0);
}

void close_stray_fds() {
  close_range(worker_channel_fd + 1, ~0U, 0);
}

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
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return unexpected(fmt::format("no_new_privs: {}", strerror(errno)));
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return unexpected(fmt::format("RLIMIT_CORE: {}", strerror(errno)));
  return {};
}

expected<std::optional<message::Identity>, std::string> worker_identity(const std::string& user) {
  if (geteuid() != 0) return std::optional<message::Identity>();
  const std::string name = user.empty() ? "nobody" : user;
  auto identity = look_up(name);
  if (!identity) identity = parse_ids(name);
  if (!identity && name == "nobody") identity = message::Identity{nobody_id, nobody_id};
  if (!identity) {
    return unexpected(fmt::format(
        "user: no user \"{}\" in /etc/passwd; a number needs no entry there: \"1000\" or \"1000:1000\"",
        name));
  }
  if (!may_become_another_user()) {
    return unexpected(
        fmt::format("user: workers are to become user {}, which this root may not: start it as that user "
                    "(docker run --user "
                    "{}:{}), or leave it CAP_SETUID and CAP_SETGID",
                    name, identity->uid, identity->gid));
  }
  return identity;
}

}  // namespace tollgate::gateway
