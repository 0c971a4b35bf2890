#include "gateway/process/supervisor.hpp"

#include <sys/resource.h>
#include <unistd.h>

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

// The kernel keeps signals from process 1 of a container until it has asked for them; while the first table
// is compiled nothing is lost by ending at once.
void heed_signals_as_init() {
  if (getpid() != 1) return;
  for (const int number : {SIGTERM, SIGINT}) {
    std::signal(number, [](int received) { _exit(128 + received); });
  }
}

void warn_of_limited_address_space(Log& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  log.warning(
      "address space is limited to {} MiB (ulimit -v): a sandbox reserves 4 GiB of it, so `wasm` routes may "
      "answer 503 `capacity`",
      limit.rlim_cur >> 20);
}

}  // namespace

expected<int, std::string> run_supervisor(Log& log, SupervisorOptions options) {
  // A log at the end of its pipe or of its file size costs lines, not the gateway.
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  heed_signals_as_init();
  raise_fd_limit();
  warn_of_limited_address_space(log);
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
