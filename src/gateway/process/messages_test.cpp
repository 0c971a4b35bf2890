#include "gateway/process/messages.hpp"

#include <gtest/gtest.h>

namespace tollgate::gateway::message {
namespace {

template <class T>
T round_trip(const T& content) {
  const auto decoded = decode(encode(content));
  if (!decoded) throw std::runtime_error(decoded.error());
  return std::get<T>(*decoded);
}

TEST(Messages, every_kind_survives_the_way) {
  const Start start = round_trip(Start{.worker = 3, .cpu = 5, .identity = Identity{65534, 65533}});
  EXPECT_EQ(start.worker, 3u);
  EXPECT_EQ(start.cpu, 5u);
  ASSERT_TRUE(start.identity);
  EXPECT_EQ(start.identity->gid, 65533u);
  EXPECT_FALSE(round_trip(Start{}).identity);
  EXPECT_FALSE(round_trip(Start{}).cpu);

  EXPECT_EQ(round_trip(Table{.generation = 7}).generation, 7u);
  EXPECT_EQ(round_trip(Listeners{.generation = 1, .addresses = {"127.0.0.1:80", "[::1]:0"}}).addresses.at(1),
            "[::1]:0");
  const Programs programs = round_trip(
      Programs{.generation = 2,
               .entries = {{.module = "/a.wasm", .manifest = {.entry = "_start", .image_bytes = 65536}}}});
  EXPECT_EQ(programs.entries.at(0).module, "/a.wasm");
  EXPECT_EQ(programs.entries.at(0).manifest.entry, "_start");
  EXPECT_EQ(programs.entries.at(0).manifest.image_bytes, 65536u);
  EXPECT_EQ(round_trip(Directories{.hosts = {"/srv"}}).hosts.at(0), "/srv");
  EXPECT_EQ(round_trip(Refused{.generation = 9, .reason = "no \"such\" thing"}).reason, "no \"such\" thing");
  EXPECT_EQ(round_trip(Upstreams{{{"a.example", {"10.0.0.1", "::1"}}}}).upstreams.at(0).addresses.at(1),
            "::1");
  EXPECT_EQ(round_trip(Drain{std::chrono::milliseconds(1500)}).limit.count(), 1500);
  EXPECT_EQ(round_trip(Commit{4}).generation, 4u);
  EXPECT_EQ(round_trip(Loaded{4}).generation, 4u);
  EXPECT_EQ(round_trip(Switch{4}).generation, 4u);
  EXPECT_EQ(round_trip(Switched{4}).generation, 4u);
  EXPECT_EQ(round_trip(Discard{4}).generation, 4u);
}

TEST(Messages, what_is_not_a_message_is_an_error_and_not_an_exception) {
  for (const char* bytes : {"", "{", "[]", "{}", "{\"type\":\"nonsense\"}", "{\"type\":\"table\"}",
                            "{\"type\":\"table\",\"generation\":\"x\"}", "{\"type\":7}"}) {
    EXPECT_FALSE(decode(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace tollgate::gateway::message
