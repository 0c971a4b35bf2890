#include "sandbox/memory/slot_model.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "sandbox/memory/fault_handler.hpp"

namespace tollgate::sandbox {
namespace {

TEST(SlotModel, any_sequence_of_writes_growths_and_drops_leaves_memories_as_the_model_says) {
  const SignalStack signal_stack;
  for (std::uint32_t seed = 0; seed < 25; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> script(3 * 400);
    for (std::uint8_t& byte : script) byte = static_cast<std::uint8_t>(random());
    EXPECT_EQ(play_slot_script(script), nullptr) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tollgate::sandbox
