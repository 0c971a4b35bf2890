#include "gateway/process/table_offer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "gateway/process/limits.hpp"

namespace tollgate::gateway {
namespace {

using Result = expected<void, std::string>;

// In packets of at most `per_packet_max` entries; `packet` makes the message of some of them and adds their
// descriptors.
template <class Entry, class Packet>
Task<Result> send_in_packets(WorkerProcess& worker, std::span<const Entry> left, std::size_t per_packet_max,
                             Packet packet) {
  while (!left.empty()) {
    const auto some = left.first(std::min(left.size(), per_packet_max));
    left = left.subspan(some.size());
    std::vector<int> fds;
    const message::Message message = packet(some, fds);
    auto sent = co_await send_message(worker, message, fds);
    if (!sent) co_return sent;
  }
  co_return Result{};
}

Task<Result> send_programs(WorkerProcess& worker, const PreparedTable& table) {
  using Some = std::span<const TableProgram>;
  const auto packet = [generation = table.generation](Some some, std::vector<int>& fds) -> message::Message {
    message::Programs programs{.generation = generation};
    for (const TableProgram& program : some) {
      programs.entries.push_back({program.module, program.bundle.manifest});
      fds.push_back(program.bundle.code.get());
      if (program.bundle.manifest.image_bytes > 0) fds.push_back(program.bundle.image.get());
    }
    return programs;
  };
  return send_in_packets(worker, Some(table.programs), programs_per_packet_max, packet);
}

Task<Result> send_directories(WorkerProcess& worker, const PreparedTable& table) {
  using Some = std::span<const TableDirectory>;
  const auto packet = [generation = table.generation](Some some, std::vector<int>& fds) -> message::Message {
    message::Directories directories{.generation = generation};
    for (const TableDirectory& directory : some) {
      directories.hosts.push_back(directory.host);
      fds.push_back(directory.fd.get());
    }
    return directories;
  };
  return send_in_packets(worker, Some(table.directories), directories_per_packet_max, packet);
}

Task<Result> send_modules(WorkerProcess& worker, const PreparedTable& table) {
  using Some = std::span<const TableModule>;
  const auto packet = [generation = table.generation](Some some, std::vector<int>& fds) -> message::Message {
    message::Modules modules{.generation = generation};
    for (const TableModule& module : some) {
      modules.names.push_back(module.name);
      fds.push_back(module.fd.get());
    }
    return modules;
  };
  return send_in_packets(worker, Some(table.modules), modules_per_packet_max, packet);
}

Task<Result> send_table(WorkerProcess& worker, const PreparedTable& table,
                        const OfferedListeners& listeners) {
  std::vector<int> fds{table.content.get()};
  if (table.access_log) fds.push_back(table.access_log.get());
  const message::Message begin(message::Table{table.generation});
  auto sent = co_await send_message(worker, begin, fds);
  if (sent && !listeners.fds.empty()) {
    const message::Message message(message::Listeners{table.generation, listeners.addresses});
    sent = co_await send_message(worker, message, listeners.fds);
  }
  if (sent) sent = co_await send_programs(worker, table);
  if (sent) sent = co_await send_directories(worker, table);
  if (sent) sent = co_await send_modules(worker, table);
  if (sent) {
    const message::Message commit(message::Commit{table.generation});
    sent = co_await send_message(worker, commit, {});
  }
  co_return sent;
}

// The worker's next word about this generation; a word about another one is left over from an offer that was
// given up, and is passed over.
Task<expected<message::Message, std::string>> receive_about(WorkerProcess& worker, std::uint64_t generation) {
  for (;;) {
    auto packet = co_await worker.channel().receive();
    if (!packet) co_return unexpected(fmt::format("worker {}: {}", worker.pid(), packet.error().detail));
    auto decoded = message::decode(packet->bytes);
    if (!decoded) co_return unexpected(fmt::format("worker {}: {}", worker.pid(), decoded.error()));
    const auto* loaded = std::get_if<message::Loaded>(&*decoded);
    const auto* refused = std::get_if<message::Refused>(&*decoded);
    const auto* switched = std::get_if<message::Switched>(&*decoded);
    if ((loaded && loaded->generation == generation) || (refused && refused->generation == generation) ||
        (switched && switched->generation == generation)) {
      co_return std::move(*decoded);
    }
    if (!loaded && !refused && !switched)
      co_return unexpected(fmt::format("worker {}: unexpected message", worker.pid()));
  }
}

}  // namespace

Task<Result> send_message(WorkerProcess& worker, const message::Message& message,
                          const std::vector<int>& fds) {
  const std::string bytes = message::encode(message);
  const std::span<const int> borrowed(fds);
  const auto sent = co_await worker.channel().send(bytes, borrowed);
  if (!sent) co_return unexpected(fmt::format("worker {}: {}", worker.pid(), sent.error().detail));
  co_return Result{};
}

Task<Result> offer_table(std::shared_ptr<WorkerProcess> worker, std::shared_ptr<const PreparedTable> table,
                         OfferedListeners listeners) {
  const auto executor = co_await asio::this_coro::executor;
  const KillAfter bound(worker, executor, load_time_max);
  auto sent = co_await send_table(*worker, *table, listeners);
  if (!sent) co_return sent;
  auto answer = co_await receive_about(*worker, table->generation);
  if (bound.expired())
    co_return unexpected(fmt::format("worker {} did not load the table in time", worker->pid()));
  if (!answer) co_return unexpected(answer.error());
  if (const auto* refused = std::get_if<message::Refused>(&*answer)) co_return unexpected(refused->reason);
  co_return Result{};
}

Task<Result> switch_table(std::shared_ptr<WorkerProcess> worker, std::uint64_t generation) {
  const auto executor = co_await asio::this_coro::executor;
  const KillAfter bound(worker, executor, switch_time_max);
  const message::Message message(message::Switch{generation});
  auto sent = co_await send_message(*worker, message, {});
  if (!sent) co_return sent;
  auto answer = co_await receive_about(*worker, generation);
  if (!answer) co_return unexpected(answer.error());
  if (const auto* refused = std::get_if<message::Refused>(&*answer)) co_return unexpected(refused->reason);
  co_return Result{};
}

Task<> discard_table(std::shared_ptr<WorkerProcess> worker, std::uint64_t generation) {
  const message::Message message(message::Discard{generation});
  co_await send_message(*worker, message, {});
}

}  // namespace tollgate::gateway
