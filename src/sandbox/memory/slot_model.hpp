// A slot pool beside a plain model of what memories should hold: the fuzz target and the property test play
// the same scripts on both and compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tollgate::sandbox {

// Plays `script` (any bytes: three per step) on two programs' pools, one with an image. Null when pools and
// model agree, else what differed.
const char* play_slot_script(std::span<const std::uint8_t> script);

}  // namespace tollgate::sandbox
