#include "gateway/process/table_receiver.hpp"

#include <fmt/format.h>

#include <utility>

#include "gateway/config/config_json.hpp"
#include "gateway/process/memory_file.hpp"

namespace tollgate::gateway {

TableReceiver::Result TableReceiver::check(std::uint64_t generation, std::size_t fds,
                                           std::size_t fds_expected) const {
  if (!gathered_ || gathered_->generation != generation) {
    return unexpected(fmt::format("generation {} was not begun", generation));
  }
  if (fds != fds_expected)
    return unexpected(fmt::format("{} descriptors came, {} were expected", fds, fds_expected));
  return {};
}

TableReceiver::Result TableReceiver::take(const message::Table& table, std::vector<UniqueFd> fds) {
  gathered_.reset();
  if (fds.empty() || fds.size() > 2)
    return unexpected(std::string("a table needs its content and at most a log"));
  gathered_.emplace();
  gathered_->generation = table.generation;
  content_ = std::move(fds[0]);
  if (fds.size() == 2) gathered_->access_log = std::move(fds[1]);
  return {};
}

TableReceiver::Result TableReceiver::take(const message::Listeners& listeners, std::vector<UniqueFd> fds) {
  if (auto fits = check(listeners.generation, fds.size(), listeners.addresses.size()); !fits) return fits;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    gathered_->listeners.push_back({listeners.addresses[i], std::move(fds[i])});
  }
  return {};
}

TableReceiver::Result TableReceiver::take(const message::Programs& programs, std::vector<UniqueFd> fds) {
  std::size_t fds_expected = 0;
  for (const message::ProgramEntry& entry : programs.entries)
    fds_expected += entry.manifest.image_bytes > 0 ? 2 : 1;
  if (auto fits = check(programs.generation, fds.size(), fds_expected); !fits) return fits;
  std::size_t next = 0;
  for (const message::ProgramEntry& entry : programs.entries) {
    sandbox::BundleFds bundle{.manifest = entry.manifest, .code = std::move(fds[next++])};
    if (entry.manifest.image_bytes > 0) bundle.image = std::move(fds[next++]);
    gathered_->programs.insert_or_assign(entry.module, std::move(bundle));
  }
  return {};
}

TableReceiver::Result TableReceiver::take(const message::Directories& directories,
                                          std::vector<UniqueFd> fds) {
  if (auto fits = check(directories.generation, fds.size(), directories.hosts.size()); !fits) return fits;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    gathered_->directories.insert_or_assign(directories.hosts[i], std::move(fds[i]));
  }
  return {};
}

TableReceiver::Result TableReceiver::take(const message::Modules& modules, std::vector<UniqueFd> fds) {
  if (auto fits = check(modules.generation, fds.size(), modules.names.size()); !fits) return fits;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    gathered_->modules.insert_or_assign(modules.names[i], std::move(fds[i]));
  }
  return {};
}

expected<ReceivedTable, std::string> TableReceiver::commit(const message::Commit& commit) {
  if (auto fits = check(commit.generation, 0, 0); !fits) return unexpected(fits.error());
  std::optional<ReceivedTable> table = std::exchange(gathered_, std::nullopt);
  const UniqueFd content = std::move(content_);
  auto json = read_memory_file(content.get());
  if (!json) return unexpected(json.error());
  auto config = config_from_json(*json);
  if (!config) return unexpected(config.error());
  table->config = std::move(*config);
  return std::move(*table);
}

}  // namespace tollgate::gateway
