// Which core does what: the server has its own, so that its CPU time is its own; the clients have the others.
#pragma once

#include <string>
#include <vector>

namespace tollgate::bench {

using Cores = std::vector<int>;

struct Placement {
  Cores all;
  Cores server;                  // one core
  Cores upstream;                // one other core, when there are three or more
  Cores client;                  // all but the server's
  Cores client_beside_upstream;  // all but the server's and the upstream's

  // Of the cores this process may use.
  static Placement of_this_machine();
  static Placement of(Cores cores);
};

// Pins the calling thread, and so what it starts from now on.
void pin_to(const Cores& cores);

// A session of our own, whose scheduling group the kernel prefers (nice of /proc/self/autogroup): otherwise
// whoever works on the same machine in other sessions gets a share of the server's core. Best effort.
void prefer_this_session();

}  // namespace tollgate::bench
