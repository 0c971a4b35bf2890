#include "gateway/process/prepared_table.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "gateway/config/config_json.hpp"
#include "gateway/observe/log_sink.hpp"
#include "gateway/process/execution_rights.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/process/memory_file.hpp"

namespace tollgate::gateway {
namespace {

template <class Each>
void for_each_guest(const Config& config, Each&& each) {
  struct OnlyGuests {
    Each& each;
    void operator()(const WasmBackend& wasm, const Route&) const {
      if (wasm.runtime == Runtime::wasmtime_embedded) each(wasm);
    }
    void operator()(const SpawnBackend&, const Route&) const {}
  };
  for_each_handler(config.routes, OnlyGuests{each});
}

expected<std::vector<TableDirectory>, std::string> open_directories(const Config& config) {
  std::vector<TableDirectory> opened;
  for (const std::string& host : directories_of(config)) {
    UniqueFd fd(::open(host.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return unexpected(fmt::format("dirs: {}: {}", host, strerror(errno)));
    opened.push_back({host, std::move(fd)});
  }
  return opened;
}

}  // namespace

std::vector<std::string> directories_of(const Config& config) {
  std::set<std::string> hosts;
  for_each_guest(config, [&hosts](const WasmBackend& wasm) {
    for (const DirectoryGrant& grant : wasm.dirs) hosts.insert(grant.host);
  });
  return {hosts.begin(), hosts.end()};
}

bool spawns_programs(const Config& config) {
  bool spawns = false;
  struct Look {
    bool& spawns;
    void operator()(const WasmBackend& wasm, const Route&) const {
      spawns |= wasm.runtime != Runtime::wasmtime_embedded;
    }
    void operator()(const SpawnBackend&, const Route&) const { spawns = true; }
  };
  for_each_handler(config.routes, Look{spawns});
  return spawns;
}

expected<std::shared_ptr<const PreparedTable>, std::string> prepare_table(std::uint64_t generation,
                                                                          Config config,
                                                                          TableHandlers handlers) {
  auto table = std::make_shared<PreparedTable>();
  table->generation = generation;
  table->programs = std::move(handlers.programs);
  table->modules = std::move(handlers.modules);
  auto identity = worker_identity(config.user);
  if (!identity) return unexpected(identity.error());
  table->identity = *identity;
  if (auto may = check_execution_rights(config, table->identity); !may) return unexpected(may.error());
  auto directories = open_directories(config);
  if (!directories) return unexpected(directories.error());
  table->directories = std::move(*directories);
  if (config.access_log.target == AccessLog::Target::file) {
    auto log = open_log_file(config.access_log.path);
    if (!log) return unexpected(log.error());
    table->access_log = std::move(*log);
  }
  auto content = make_memory_file("tollgate-table", config_to_json(config));
  if (!content) return unexpected(content.error());
  table->content = std::move(*content);
  table->config = std::move(config);
  return std::shared_ptr<const PreparedTable>(std::move(table));
}

}  // namespace tollgate::gateway
