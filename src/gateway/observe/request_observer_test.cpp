#include "gateway/observe/request_observer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/testing/quiet_observer.hpp"

namespace tollgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::KeptLines;

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  KeptLines lines;
  {
    GuestStderr guest(lines, "id", "/fn");
    for (const std::string& piece : pieces) guest.write(piece);
  }
  return lines.lines;
}

TEST(GuestStderr, puts_the_pieces_of_a_line_together) {
  EXPECT_THAT(lines_of({"thread ", "'main'", " panicked\n", "next\n"}),
              ElementsAre("thread 'main' panicked", "next"));
}

TEST(GuestStderr, takes_several_lines_in_one_piece) {
  EXPECT_THAT(lines_of({"a\n\nb\nc"}), ElementsAre("a", "", "b", "c"));
}

TEST(GuestStderr, says_nothing_of_a_silent_guest) {
  EXPECT_THAT(lines_of({"", ""}), IsEmpty());
}

TEST(GuestStderr, cuts_a_line_without_end) {
  const std::string flood(GuestStderr::line_bytes_max * 2 + 5, 'x');
  for (const auto& pieces : {std::vector<std::string>{flood}, std::vector<std::string>(flood.size(), "x")}) {
    const std::vector<std::string> lines = lines_of(pieces);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0].size(), GuestStderr::line_bytes_max);
    EXPECT_EQ(lines[2], "xxxxx");
  }
}

}  // namespace
}  // namespace tollgate::gateway
