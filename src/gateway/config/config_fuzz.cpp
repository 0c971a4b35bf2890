// Any bytes as a configuration: read or refused with at least one error, and what is read survives the way to
// the worker.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/config/config_json.hpp"
#include "gateway/config/config_reader.hpp"
#include "gateway/routing/route_table.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tollgate::gateway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "UNSET") return std::nullopt;
    return name;
  };
  const auto config = read_config(text, "/fuzz.toml", environment, NamedFiles::not_looked_at);
  if (!config) {
    if (config.error().empty()) std::abort();
    for (const ConfigError& error : config.error()) {
      if (error.message().find('\n') != std::string::npos) std::abort();
    }
    return 0;
  }
  if (config->routes.empty() || config->listen.empty()) std::abort();
  const std::string json = config_to_json(*config);
  const auto back = config_from_json(json);
  if (!back || config_to_json(*back) != json) std::abort();
  const RouteTable table(config->routes);
  return 0;
}
