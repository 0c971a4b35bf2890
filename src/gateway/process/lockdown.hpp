// What a worker gives up before it touches anything a client or a guest may have influenced. Nothing here is
// asked back: the process stays without these rights until it ends.
#pragma once

#include <optional>
#include <string>

#include "base/expected.hpp"
#include "gateway/process/messages.hpp"

namespace tollgate::gateway {

// The descriptor a worker finds its channel at; 0 to 2 are /dev/null, /dev/null and the log.
inline constexpr int worker_channel_fd = 3;

// What `ps` and `top` show, instead of the "exe" of /proc/self/exe. At most 15 bytes.
void name_process(const char* name);

// Closes every descriptor above the channel, whoever forgot it.
void close_stray_fds();

// As many descriptors as may be had without changing what the operator allows: soft limit = hard limit.
void raise_fd_limit();

// Another user (when given; also no supplementary groups), no_new_privs, no core files. Address space is not
// limited: sandboxes reserve 4 GiB each.
expected<void, std::string> lock_down(const std::optional<message::Identity>& identity);

// Whom workers become when the supervisor runs as root: `user` (a name, "UID" or "UID:GID"), or "nobody" when
// it is empty. nullopt when it does not run as root; a failure names the user, also where this root lacks the
// capabilities to become another. Reads /etc/passwd itself (a static program has no name service); where that
// file is missing or has no nobody, nobody is 65534.
expected<std::optional<message::Identity>, std::string> worker_identity(const std::string& user);

}  // namespace tollgate::gateway
