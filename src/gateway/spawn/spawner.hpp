// The spawner: a helper process of one worker that starts programs for it, so that the process that runs
// guests never executes anything. It knows no HTTP and no routes; the worker tells it argv, environment and
// limits of each run.
//
// Promises: a run's descendants are all gone before its end is told, also those that left its process group
// or session, lost their parent, or ignore SIGTERM; nothing outlives the spawner; children are always reaped
// and their CPU time counted. Who belongs to which run is told by the process tree, by the process group, and
// for those who left both by the variable below in the environment they were started with; an orphan that no
// living run can claim is ended.
#pragma once

#include <optional>

#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Serves the worker at the other end of `socket` until it closes, and keeps to its `cpu`, if it has one:
// a message between the two then wakes nobody elsewhere. Programs start there, where their start is at hand,
// and may run on any CPU that this process might before. Returns the process's exit code.
int run_spawner(UniqueFd socket, std::optional<unsigned> cpu);

}  // namespace tollgate::gateway
