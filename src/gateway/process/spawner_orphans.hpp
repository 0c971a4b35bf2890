// What programs leave behind when their spawner is killed and cannot end them: the programs themselves die
// with it (PR_SET_PDEATHSIG), but what they started does not. It becomes the supervisor's child then, and is
// recognised by its session: a spawner starts one for all its programs, and nothing else of ours leaves the
// supervisor's.
//
// Threads: the supervisor's first one, whose children are meant.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <set>

#include "base/async.hpp"

namespace tollgate::gateway {

// Makes orphans ours from now on. Not where the process has children already, as one that was exec'd by a
// script may: then they could not be told apart, and init gets what a killed spawner leaves.
void adopt_orphans();

// Kills and reaps until none is left, for a second at most. `spawners`: those that live, also later; outlives
// the task.
Task<> end_orphans(EventLoop& loop, const std::set<pid_t>& spawners);
// When no spawner lives.
void end_orphans_blocking();

}  // namespace tollgate::gateway
