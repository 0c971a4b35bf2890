// The worker's side of an offer: gathers what comes about one generation until it is committed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/process/messages.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::gateway {

struct ReceivedListener {
  std::string address;
  UniqueFd fd;
};

// A whole table, as plain data and open descriptors.
struct ReceivedTable {
  std::uint64_t generation = 0;
  Config config;
  UniqueFd access_log;
  std::map<std::string, sandbox::BundleFds> programs;  // by module path
  std::map<std::string, UniqueFd> directories;         // by host path
  std::map<std::string, UniqueFd> modules;             // by module_name()
  std::vector<ReceivedListener> listeners;             // only with a worker's first table
};

class TableReceiver {
 public:
  using Result = expected<void, std::string>;

  // Each takes the descriptors that came with its message. A new Table forgets what was gathered before.
  Result take(const message::Table& table, std::vector<UniqueFd> fds);
  Result take(const message::Listeners& listeners, std::vector<UniqueFd> fds);
  Result take(const message::Programs& programs, std::vector<UniqueFd> fds);
  Result take(const message::Directories& directories, std::vector<UniqueFd> fds);
  Result take(const message::Modules& modules, std::vector<UniqueFd> fds);

  // The gathered table, if it is of that generation and can be read. Nothing is kept in either case.
  expected<ReceivedTable, std::string> commit(const message::Commit& commit);

 private:
  Result check(std::uint64_t generation, std::size_t fds, std::size_t fds_expected) const;

  std::optional<ReceivedTable> gathered_;
  UniqueFd content_;
};

}  // namespace tollgate::gateway
