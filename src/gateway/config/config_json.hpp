// A Config as JSON and back: how the supervisor hands it to a worker.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "gateway/config/config.hpp"

namespace tollgate::gateway {

std::string config_to_json(const Config& config);

// Reads what config_to_json wrote, and only that: missing keys and wrong types are errors. The error is a
// sentence.
expected<Config, std::string> config_from_json(std::string_view json);

}  // namespace tollgate::gateway
