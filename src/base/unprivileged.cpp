#include "base/unprivileged.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace tollgate {
namespace {

constexpr int niceness = 10;

}  // namespace

// Not by the C library's functions, which would ask the other threads of the process whose memory this is.
bool become_nobody() {
  if (geteuid() == 0 && (syscall(SYS_setgroups, 0, nullptr) != 0 ||
                         syscall(SYS_setresgid, nobody_id, nobody_id, nobody_id) != 0 ||
                         syscall(SYS_setresuid, nobody_id, nobody_id, nobody_id) != 0)) {
    return false;
  }
  setpriority(PRIO_PROCESS, 0, niceness);
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void volunteer_for_the_oom_killer() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!write(file, "1000", 4);
  close(file);
}

bool lower_limit(__rlimit_resource resource, std::uint64_t soft, std::uint64_t hard) {
  rlimit bounds{};
  if (getrlimit(resource, &bounds) != 0) return false;
  bounds.rlim_max = std::min<rlim_t>(bounds.rlim_max, hard);
  bounds.rlim_cur = std::min<rlim_t>(bounds.rlim_max, soft);
  return setrlimit(resource, &bounds) == 0;
}

}  // namespace tollgate
