// The process of a worker's spawner, as the supervisor starts it (worker_process.hpp: spawner_command).
#pragma once

namespace tollgate::gateway {

// Waits for the supervisor's Start, whose descriptor is the socket to the worker; becomes the worker's user,
// and starts programs until the worker ends. Gives the exit code.
int run_spawner_process();

}  // namespace tollgate::gateway
