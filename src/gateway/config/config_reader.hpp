// Reads `tollgate.toml` (docs/configuration.md) into a Config: defaults in place, ${NAME} expanded, paths
// absolute. All faults of a file are reported together; a Config that is returned is valid throughout.
//
// Start-up, reload and `tollgate check` only: this opens files and takes its time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "gateway/config/config.hpp"
#include "gateway/config/config_error.hpp"
#include "gateway/config/environment.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {

// Whether modules and directories that the configuration names must be there.
enum class NamedFiles : std::uint8_t { must_exist, not_looked_at };

inline constexpr std::size_t config_bytes_max = 4u << 20;  // a table of routes_max routes is about 2 MB
// Half of the slots: a table can always be replaced by one of other names while it serves.
inline constexpr std::size_t routes_max = route_slots_max / 2;
// Each is a socket per worker, and a worker gets all of its sockets in one packet.
inline constexpr std::size_t listen_addresses_max = 64;
inline constexpr unsigned workers_max = 1024;

// Relative paths in the text are relative to the folder of `file`, whose name appears in errors.
expected<Config, ConfigErrors> read_config(std::string_view toml, const std::filesystem::path& file,
                                           const Environment& environment, NamedFiles named_files);

expected<Config, ConfigErrors> read_config_file(const std::filesystem::path& file,
                                                const Environment& environment);

// What the command line of `tollgate serve` says, within the same bounds; it wins over the file.
struct CommandLine {
  std::vector<std::string> listen;   // addresses in canonical form
  std::optional<std::string> admin;  // the same
  std::optional<unsigned> workers;
  Abi abi = Abi::cgi;  // of a handler given by path
};

// Replaces what the command line names.
Config with_command_line(Config config, const CommandLine& command_line);

// `tollgate serve handler.wasm`: one route "/*".
expected<Config, ConfigErrors> config_for_handler(const std::filesystem::path& module,
                                                  const CommandLine& command_line);

}  // namespace tollgate::gateway
