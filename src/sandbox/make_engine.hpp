// The engine of this build, for code that must not know which one it is.
#pragma once

#include <memory>
#include <string>

#include "base/expected.hpp"
#include "sandbox/engine.hpp"

namespace tollgate::sandbox {

// Costs a fraction of a millisecond and some memory: make it when the first program is needed. The error is a
// sentence.
expected<std::unique_ptr<Engine>, std::string> make_engine();

}  // namespace tollgate::sandbox
