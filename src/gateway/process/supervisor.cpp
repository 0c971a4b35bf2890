#include "gateway/process/supervisor.hpp"

#include <boost/asio/co_spawn.hpp>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "gateway/process/gateway_supervisor.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/spawner_orphans.hpp"

namespace tollgate::gateway {
namespace {

Task<> run(GatewaySupervisor& supervisor, EventLoop& loop, expected<int, std::string>& outcome) {
  auto started = co_await supervisor.start();
  if (started) {
    outcome = co_await supervisor.serve();
  } else {
    outcome = unexpected(started.error());
  }
  loop.stop();
}

}  // namespace

expected<int, std::string> run_supervisor(Log& log, SupervisorOptions options) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_fd_limit();
  adopt_orphans();
  auto counts = SharedCountsSegment::create();
  if (!counts) return unexpected(counts.error());
  // Last of all, when what is destroyed below has ended the spawners.
  struct AtTheEnd {
    ~AtTheEnd() { end_orphans_blocking(); }
  } const orphans;
  EventLoop loop(1);
  GatewaySupervisor supervisor(loop, log, std::move(options), std::move(*counts));
  expected<int, std::string> outcome = EXIT_SUCCESS;
  asio::co_spawn(loop, run(supervisor, loop, outcome), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  loop.run();
  // A thread that still reads or compiles would use what is about to be destroyed.
  if (supervisor.reloading()) std::_Exit(outcome.value_or(EXIT_FAILURE));
  return outcome;
}

}  // namespace tollgate::gateway
