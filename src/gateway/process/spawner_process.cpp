#include "gateway/process/spawner_process.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/log.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/messages.hpp"
#include "gateway/spawn/spawner.hpp"

namespace tollgate::gateway {
namespace {

struct Begin {
  message::Start start;
  UniqueFd worker;
};

Task<> receive_start(EventLoop& loop, std::optional<Begin>& begin) {
  Channel supervisor(loop, UniqueFd(worker_channel_fd));
  auto packet = co_await supervisor.receive();
  if (!packet || packet->fds.size() != 1) co_return;
  auto decoded = message::decode(packet->bytes);
  const auto* start = decoded ? std::get_if<message::Start>(&*decoded) : nullptr;
  if (start != nullptr) begin = Begin{*start, std::move(packet->fds.front())};
}

std::optional<Begin> wait_for_start() {
  EventLoop loop(1);
  std::optional<Begin> begin;
  asio::co_spawn(loop, receive_start(loop, begin), asio::detached);
  loop.run();
  return begin;
}

}  // namespace

int run_spawner_process() {
  name_process("tollgate-spawn");
  close_stray_fds();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  auto begin = wait_for_start();
  if (!begin) return EXIT_FAILURE;
  const auto locked = lock_down(begin->start.identity);
  if (!locked) {
    Log("spawner", STDERR_FILENO).error("{}", locked.error());
    return EXIT_FAILURE;
  }
  return run_spawner(std::move(begin->worker), begin->start.cpu);
}

}  // namespace tollgate::gateway
