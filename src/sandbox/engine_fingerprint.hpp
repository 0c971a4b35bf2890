// What compiled code is bound to.
#pragma once

#include <string>

#include "base/expected.hpp"

namespace tollgate::sandbox {

// "wasmtime-VERSION-HASH": engine version, its configuration and this CPU's features, in one word for cache
// keys and manifests. Makes an engine to ask it (a fraction of a millisecond, and its signal handlers): keep
// the answer.
expected<std::string, std::string> engine_fingerprint();

}  // namespace tollgate::sandbox
