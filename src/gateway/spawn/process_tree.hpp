// Who descends from whom, from /proc (proc(5)). Linux only. A process that wants to know all its descendants
// must be a child subreaper (PR_SET_CHILD_SUBREAPER), so that whoever loses its parent becomes its child.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// The children of the calling process, which has one thread. Asked after every run, so the file stays open.
class OwnChildren {
 public:
  OwnChildren();
  bool more_than(std::size_t count) const;
  std::vector<pid_t> list() const;

 private:
  UniqueFd file_;
};

// The children of a process, from /proc; empty when it has ended.
std::vector<pid_t> children_of(pid_t parent);

// Everyone below `root` in the process tree; `root` itself not included.
std::vector<pid_t> descendants_of(pid_t root);

// The value of one variable in the environment that a process was started with.
std::string initial_environment(pid_t pid, std::string_view name);

}  // namespace tollgate::gateway
