// A Manifest as JSON: in containers, and on the way from the supervisor to a worker.
#pragma once

#include <nlohmann/json.hpp>

#include "sandbox/bundle.hpp"

namespace tollgate::sandbox {

// Reading throws nlohmann::json::exception when a field is missing or of another type.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Manifest, format, module_digest, engine, name, entry, memory_pages_min,
                                   memory_pages_max, code_bytes, image_bytes, image_offset)

}  // namespace tollgate::sandbox
