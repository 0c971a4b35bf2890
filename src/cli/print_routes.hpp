// The routes of a configuration, each with a curl line to try it.
#pragma once

#include <string>

#include "gateway/config/config.hpp"

namespace tollgate::cli {

// One line per route; `address` is where the gateway listens.
std::string describe_routes(const gateway::Config& config, const std::string& address);

}  // namespace tollgate::cli
