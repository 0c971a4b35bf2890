// The supervisor's side of the conversation about tables (messages.hpp). A worker that does not answer an
// offer or a switch in time is killed, and the call fails.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "gateway/process/messages.hpp"
#include "gateway/process/prepared_table.hpp"
#include "gateway/process/worker_process.hpp"

namespace tollgate::gateway {

// Listening sockets for a worker's first table: fds[i] listens on addresses[i].
struct OfferedListeners {
  std::vector<std::string> addresses;
  std::vector<int> fds;
};

// Completes when the worker has loaded the table, or with the reason it gave for refusing it.
Task<expected<void, std::string>> offer_table(std::shared_ptr<WorkerProcess> worker,
                                              std::shared_ptr<const PreparedTable> table,
                                              OfferedListeners listeners);

// Completes when the worker serves with the table it has loaded.
Task<expected<void, std::string>> switch_table(std::shared_ptr<WorkerProcess> worker,
                                               std::uint64_t generation);

Task<> discard_table(std::shared_ptr<WorkerProcess> worker, std::uint64_t generation);

// One message, with descriptors that are borrowed.
Task<expected<void, std::string>> send_message(WorkerProcess& worker, const message::Message& message,
                                               const std::vector<int>& fds);

}  // namespace tollgate::gateway
