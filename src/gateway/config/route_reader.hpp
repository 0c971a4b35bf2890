// Reads one [[route]] of a configuration and the limits tables.
#pragma once

#include <filesystem>

#include "gateway/config/config_reader.hpp"
#include "gateway/config/toml_reader.hpp"

namespace tollgate::gateway {

// What a route's reading depends on besides its own table.
struct RouteSurroundings {
  const Limits& defaults;
  std::filesystem::path folder;  // of the configuration file, absolute
  NamedFiles named_files;
  Runtime runtime = Runtime::wasmtime_embedded;  // of routes that do not name one
};

// The runtime's name in the configuration, which is the gateway study's.
std::optional<Runtime> parse_runtime(std::string_view text);
inline constexpr std::string_view runtime_notation = R"("wasmtime_embedded", "wasmtime" or "wasmedge")";

void read_limits(TableReader& table, Limits& limits);

Route read_route(TableReader& table, const RouteSurroundings& surroundings);

// The names that `native` may have.
const std::vector<std::string>& native_handler_names();

}  // namespace tollgate::gateway
