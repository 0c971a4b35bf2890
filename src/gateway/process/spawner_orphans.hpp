// What programs leave behind when their spawner is killed and cannot end them: the programs themselves die
// with it (PR_SET_PDEATHSIG), but what they started does not. It becomes the supervisor's child then, and is
// recognised by its session, for every program starts one and nothing of ours leaves the supervisor's.
//
// Threads: the supervisor's first one, whose children are meant.
#pragma once

#include <cstddef>

#include "base/async.hpp"

namespace tollgate::gateway {

// Makes orphans ours from now on. Not where the process has children already, as one that was exec'd by a
// script may: then they could not be told apart, and init gets what a killed spawner leaves.
void adopt_orphans();

// Kills and reaps; how many there were.
std::size_t kill_orphans();

// The same until none is left, for a second at most.
Task<> end_orphans(EventLoop& loop);
void end_orphans_blocking();

}  // namespace tollgate::gateway
