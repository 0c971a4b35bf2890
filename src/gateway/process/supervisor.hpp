// The process a person starts: reads the configuration, opens everything, keeps the workers alive, reloads,
// drains. It never runs a guest and never reads a request of a client.
//
//   start     configuration -> programs -> listeners -> workers load the table -> all switch -> "listening on
//   ..." SIGHUP    reload in two phases: all workers load the new table, then all switch; any failure changes
//   nothing SIGTERM, SIGINT, a connection to the kill port
//             drain: stop accepting, finish what runs, exit; a second signal ends at once
//
// What needs only new descriptors is given to the workers that run; what changes their rights (listeners,
// number of workers, user, directories) starts new ones, and the old ones drain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/log.hpp"
#include "gateway/config/config.hpp"
#include "sandbox/program_preparation.hpp"

namespace tollgate::gateway {

struct SupervisorOptions {
  // Reads the configuration; called at start and at each reload, there on a thread of its own. The error is
  // complete and readable, perhaps of several lines.
  std::function<expected<Config, std::string>()> read_config;

  // Every worker has loaded every handler. Actual addresses, in the order of the configuration.
  std::function<void(const std::vector<std::string>& addresses, const Config& config)> listening;

  // Whether routes may name files of compiled code (tollgate compile), which is executed as it is.
  sandbox::Precompiled precompiled = sandbox::Precompiled::refused;

  std::string version;  // of tollgate, for the metrics
  std::string engine_version;
};

// Runs the gateway until it is told to stop. Gives the exit code: 0 after a drain, 1 when it was ended at
// once. The error is why it could not start.
expected<int, std::string> run_supervisor(Log& log, SupervisorOptions options);

}  // namespace tollgate::gateway
