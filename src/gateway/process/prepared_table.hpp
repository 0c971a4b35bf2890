// A table ready to be offered: everything of a configuration that has to be opened by path, opened. Made by
// the supervisor at start and at each reload; kept while it serves, for workers that are started later.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/messages.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::gateway {

struct TableProgram {
  std::string module;  // path, as the routes name it
  sandbox::BundleFds bundle;
};

struct TableDirectory {
  std::string host;
  UniqueFd fd;
};

struct TableModule {
  std::string name;  // module_name()
  UniqueFd fd;
};

// What the routes of a configuration run.
struct TableHandlers {
  std::vector<TableProgram> programs;  // inside the workers
  std::vector<TableModule> modules;    // by engines' command lines
};

struct PreparedTable {
  std::uint64_t generation = 0;
  Config config;
  std::optional<message::Identity> identity;  // whom the workers that serve it become
  UniqueFd content;                           // `config` as JSON, in a memory file
  UniqueFd access_log;
  std::vector<TableProgram> programs;
  std::vector<TableDirectory> directories;
  std::vector<TableModule> modules;
};

// What preparing looks up and opens by itself: the workers' user, directories, and the access log if it is a
// file. `handlers` come from the program store. It is also checked that this user may execute what routes
// spawn. The error names the path and the reason.
expected<std::shared_ptr<const PreparedTable>, std::string> prepare_table(std::uint64_t generation,
                                                                          Config config,
                                                                          TableHandlers handlers);

// The directories that guests are granted, each path once.
std::vector<std::string> directories_of(const Config& config);
// Whether a route starts programs, so that workers need spawners.
bool spawns_programs(const Config& config);

}  // namespace tollgate::gateway
