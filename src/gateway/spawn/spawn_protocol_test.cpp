#include "gateway/spawn/spawn_protocol.hpp"

#include <gtest/gtest.h>

#include "gateway/process/ipc.hpp"

namespace tollgate::gateway {
namespace {

StartProgram sample() {
  StartProgram start;
  start.id = 7;
  start.limits = {.cpu_seconds = 2, .memory_bytes = 1u << 30, .file_bytes = 3, .open_files = 64};
  start.argv = {"/bin/sh", "-c", ""};
  start.environment = {"A=1", "B=\xff\xfe"};
  return start;
}

TEST(SpawnProtocol, carries_a_start_unchanged) {
  const auto decoded = decode(*encode(sample()));
  ASSERT_TRUE(decoded);
  const auto& start = std::get<StartProgram>(*decoded);
  EXPECT_EQ(start.id, 7u);
  EXPECT_EQ(start.limits, sample().limits);
  EXPECT_EQ(start.argv, sample().argv);
  EXPECT_EQ(start.environment, sample().environment);
}

TEST(SpawnProtocol, refuses_every_truncation_and_anything_after_the_end) {
  const std::string whole = *encode(sample());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode(std::string_view(whole).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode(whole + "x"));
}

TEST(SpawnProtocol, refuses_what_a_message_cannot_hold) {
  StartProgram start = sample();
  start.argv.push_back(std::string(packet_bytes_max, 'x'));
  EXPECT_FALSE(encode(start));
}

}  // namespace
}  // namespace tollgate::gateway
