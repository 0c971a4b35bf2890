#include "gateway/process/worker.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "gateway/process/cpus.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/process/limits.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/messages.hpp"
#include "gateway/process/siblings.hpp"
#include "gateway/process/table_receiver.hpp"
#include "gateway/process/worker_gateway.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {
namespace {

// `done`, or why not.
template <class Done>
message::Message answer_to(const expected<void, std::string>& result, const Done& done) {
  if (result) return done;
  return message::Refused{done.generation, result.error().substr(0, refusal_bytes_max)};
}

// How the next message is to be taken; the channel's order is the order of everything.
class Worker {
 public:
  Worker(EventLoop& loop, Log& log) : loop_(loop), log_(log), channel_(loop, UniqueFd(worker_channel_fd)) {}

  // Until the supervisor hangs up or a drain has ended. Gives the exit code.
  Task<int> run();

  void flush_log() {
    if (gateway_) gateway_->flush_log();
  }

 private:
  using Result = expected<void, std::string>;
  using Fds = std::vector<UniqueFd>;

  // One per message a worker may get; the others are refused. A failure ends the worker: what is refused to
  // the supervisor as an answer is no failure.
  Task<Result> take(message::Start start, Fds fds);
  Task<Result> take(message::Table table, Fds fds);
  Task<Result> take(message::Listeners listeners, Fds fds);
  Task<Result> take(message::Programs programs, Fds fds);
  Task<Result> take(message::Directories directories, Fds fds);
  Task<Result> take(message::Modules modules, Fds fds);
  Task<Result> take(message::Spawner spawner, Fds fds);
  Task<Result> take(message::Commit commit, Fds fds);
  Task<Result> take(message::Switch wanted, Fds fds);
  Task<Result> take(message::Discard discard, Fds fds);
  Task<Result> take(message::Upstreams upstreams, Fds fds);
  Task<Result> take(message::Drain drain, Fds fds);
  template <class Other>
  Task<Result> take(Other, Fds) {
    co_return unexpected(std::string("a message that workers do not take"));
  }

  Task<Result> reply(const message::Message& message);

  EventLoop& loop_;
  Log& log_;
  Channel channel_;
  TableReceiver receiver_;
  std::optional<WorkerGateway> gateway_;
  bool draining_ = false;
};

Task<int> Worker::run() {
  for (;;) {
    auto packet = co_await channel_.receive();
    if (!packet && packet.error().kind == ChannelError::Kind::closed) co_return EXIT_SUCCESS;
    if (!packet) {
      log_.error("message from the supervisor: {}", packet.error().detail);
      co_return EXIT_FAILURE;
    }
    auto message = message::decode(packet->bytes);
    Result taken;
    if (!message) {
      taken = unexpected(message.error());
    } else if (!gateway_ && !std::holds_alternative<message::Start>(*message)) {
      taken = unexpected(std::string("the first message is not Start"));
    } else {
      auto taking = std::visit(
          [this, &packet](auto& content) { return take(std::move(content), std::move(packet->fds)); },
          *message);
      taken = co_await std::move(taking);
    }
    if (taken) continue;
    log_.error("message from the supervisor: {}", taken.error());
    co_return EXIT_FAILURE;
  }
}

Task<Worker::Result> Worker::reply(const message::Message& message) {
  const std::string bytes = message::encode(message);
  const auto sent = co_await channel_.send(bytes);
  if (!sent) co_return unexpected(sent.error().detail);
  co_return Result{};
}

Task<Worker::Result> Worker::take(message::Start start, Fds fds) {
  constexpr std::size_t segments = 3;
  if (fds.size() < segments || gateway_)
    co_return unexpected(std::string("Start: not once, or not with its descriptors"));
  // Shared memory is mapped through descriptors: the new user needs no right to it.
  auto memory = WorkerMemory::map(fds[0].get(), fds[1].get(), fds[2].get());
  if (!memory) co_return unexpected(memory.error());
  if (start.cpu) keep_to(*start.cpu);
  auto locked = lock_down(start.identity);
  if (!locked) co_return locked;
  gateway_.emplace(loop_, std::move(*memory), log_);
  if (fds.size() == segments) co_return Result{};
  fds.erase(fds.begin(), fds.begin() + segments);
  auto siblings = Siblings::make(loop_, start.worker, std::move(fds));
  if (!siblings) co_return unexpected(siblings.error());
  gateway_->share_with(std::move(*siblings));
  co_return Result{};
}

Task<Worker::Result> Worker::take(message::Table table, Fds fds) {
  co_return receiver_.take(table, std::move(fds));
}

Task<Worker::Result> Worker::take(message::Listeners listeners, Fds fds) {
  co_return receiver_.take(listeners, std::move(fds));
}

Task<Worker::Result> Worker::take(message::Programs programs, Fds fds) {
  co_return receiver_.take(programs, std::move(fds));
}

Task<Worker::Result> Worker::take(message::Directories directories, Fds fds) {
  co_return receiver_.take(directories, std::move(fds));
}

Task<Worker::Result> Worker::take(message::Modules modules, Fds fds) {
  co_return receiver_.take(modules, std::move(fds));
}

Task<Worker::Result> Worker::take(message::Spawner, Fds fds) {
  if (fds.size() != 1) co_return unexpected(std::string("Spawner: not with its descriptor"));
  gateway_->use_spawner(std::move(fds.front()));
  co_return Result{};
}

Task<Worker::Result> Worker::take(message::Commit commit, Fds) {
  auto received = receiver_.commit(commit);
  Result loaded;
  if (received) {
    loaded = gateway_->load(std::move(*received));
  } else {
    loaded = unexpected(received.error());
  }
  const message::Message answer = answer_to(loaded, message::Loaded{commit.generation});
  co_return co_await reply(answer);
}

Task<Worker::Result> Worker::take(message::Switch wanted, Fds) {
  auto switched = gateway_->switch_to(wanted.generation);
  const message::Message answer = answer_to(switched, message::Switched{wanted.generation});
  co_return co_await reply(answer);
}

Task<Worker::Result> Worker::take(message::Discard discard, Fds) {
  gateway_->discard(discard.generation);
  co_return Result{};
}

Task<Worker::Result> Worker::take(message::Upstreams upstreams, Fds) {
  gateway_->update(upstreams);
  co_return Result{};
}

// Runs beside the channel, whose closing still ends the worker at once.
Task<Worker::Result> Worker::take(message::Drain drain, Fds) {
  if (std::exchange(draining_, true)) co_return Result{};
  asio::co_spawn(loop_, gateway_->drain(drain.limit), [this](std::exception_ptr) { channel_.close(); });
  co_return Result{};
}

Task<> run_to_end(Worker& worker, EventLoop& loop, int& exit_code) {
  exit_code = co_await worker.run();
  loop.stop();
}

}  // namespace

void run_worker() {
  name_process("tollgate-worker");
  close_stray_fds();
  raise_fd_limit();
  // A terminal's Ctrl-C and an init's SIGTERM reach every process of the group: the supervisor decides what
  // they mean.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);
  Log log("worker", STDERR_FILENO);
  EventLoop loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  Worker worker(loop, log);
  int exit_code = EXIT_FAILURE;
  asio::co_spawn(loop, run_to_end(worker, loop, exit_code), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  loop.run();
  // Requests may be in flight, and what their coroutines hold uses what would be destroyed before them.
  worker.flush_log();
  std::_Exit(exit_code);
}

}  // namespace tollgate::gateway
