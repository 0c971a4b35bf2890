// What a server costs with everything it started: its own process, its children, and theirs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace tollgate::bench {

// The root first, then all living descendants.
std::vector<pid_t> tree_of(pid_t root);

// CPU time (user + system) the tree has used so far: of living members to the nanosecond, of children they
// have already waited for in clock ticks. The difference of two calls is what was used in between.
std::int64_t cpu_nanoseconds(pid_t root);
// The same of a tree that is known: no look at every process of the machine.
std::int64_t cpu_nanoseconds(const std::vector<pid_t>& tree);

struct Memory {
  std::uint64_t pss_bytes = 0;  // a page shared by n processes counts 1/n
  // Written, and mapped by nobody else; clean pages of files are the kernel's to drop.
  std::uint64_t private_bytes = 0;
};
Memory memory_of_tree(pid_t root);

}  // namespace tollgate::bench
