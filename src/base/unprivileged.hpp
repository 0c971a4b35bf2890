// How a helper process becomes harmless before it works on what may be hostile. System calls of the calling
// thread alone, so that a child on its parent's memory (vfork(2)) may use them, too.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace tollgate {

inline constexpr std::uint32_t nobody_id = 65534;  // user and group, where /etc/passwd does not say otherwise

// The user nobody when we are root, no new privileges, and a lower priority: whoever serves requests goes
// first. False with errno; then the process must end.
bool become_nobody();

// When memory runs out the kernel shall take us, never the gateway.
void volunteer_for_the_oom_killer();

// A bound that we already have and that is lower stays as it is. False with errno.
bool lower_limit(__rlimit_resource resource, std::uint64_t soft, std::uint64_t hard);

}  // namespace tollgate
