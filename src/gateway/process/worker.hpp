// A worker process: one thread, one event loop, sandboxes of many requests. It opens nothing by path; all it
// has comes from the supervisor as descriptors (messages.hpp), and it ends when the supervisor's end of the
// channel closes.
#pragma once

namespace tollgate::gateway {

// Runs the worker on the channel it was started with (descriptor worker_channel_fd) and ends the process with
// its exit code.
[[noreturn]] void run_worker();

}  // namespace tollgate::gateway
