// ${NAME} and ${NAME:-default} in configuration values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace tollgate::gateway {

// Looks an environment variable up; used while a configuration is read, never for a request.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

Environment process_environment();

// As in a shell, the default also replaces a variable that is set but empty; "$${" stands for "${". A default
// ends at the first "}". The error is a sentence of what was found wrong.
struct ExpansionError {
  std::string found;
  std::string expected;
};
expected<std::string, ExpansionError> expand(std::string_view text, const Environment& environment);

}  // namespace tollgate::gateway
