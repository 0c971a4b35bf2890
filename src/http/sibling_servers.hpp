// The servers of other processes that accept on the same addresses, each on sockets of its own among which
// the kernel chooses without regard to who has how much to do (SO_REUSEPORT).
#pragma once

#include <cstdint>

namespace tollgate::http {

class SiblingServers {
 public:
  // Gives away a connection that nothing was read from, if a sibling has fewer than `open`, which are this
  // server's. True: a sibling holds it, and the caller closes its own descriptor.
  virtual bool give_away(int connected, std::uint64_t open) = 0;

  // This server has that many connections from now on.
  virtual void tell_open(std::uint64_t open) = 0;

 protected:
  ~SiblingServers() = default;
};

}  // namespace tollgate::http
