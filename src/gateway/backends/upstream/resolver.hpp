// Names to addresses, for the supervisor: at load, and again when their time to live is over. Workers never
// resolve.
//
// c-ares reads /etc/hosts and /etc/resolv.conf itself, anew for each name; nothing of the C library's name
// service is used, which a static program could not load. Literal addresses need no server, neither do names
// of /etc/hosts.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/expected.hpp"

namespace tollgate::gateway {

struct Resolved {
  std::vector<std::string> addresses;  // numeric, IPv6 without brackets, in the order to try; never empty
  std::chrono::seconds ttl{};          // when to ask again: within resolve_ttl_min and _max
};

inline constexpr std::chrono::seconds resolve_ttl_min{5};  // no name is worth more than that of questions
inline constexpr std::chrono::seconds resolve_ttl_max{
    300};  // a moved upstream is found within this, whatever its TTL
inline constexpr std::chrono::seconds resolve_limit{10};  // of one resolve(), all servers and tries together

// `host` without brackets. The error is a sentence that names the host. `name_servers`: ADDRESS:PORT,
// separated by commas; empty: those of /etc/resolv.conf.
//
// Threads: the loop's one. The loop must outlive the task.
Task<expected<Resolved, std::string>> resolve(EventLoop& loop, std::string host,
                                              std::string name_servers = {});

}  // namespace tollgate::gateway
