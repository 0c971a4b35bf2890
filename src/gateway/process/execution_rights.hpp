// Whether the user that spawners become may execute what the routes spawn: told when a table is loaded, not
// by the first request that fails.
#pragma once

#include <optional>
#include <string>

#include "base/expected.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/messages.hpp"

namespace tollgate::gateway {

// nullopt: our own user. The error is a sentence that names the program, the user and the remedies.
expected<void, std::string> check_execution_rights(const Config& config,
                                                   const std::optional<message::Identity>& identity);

}  // namespace tollgate::gateway
