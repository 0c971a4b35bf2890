#include "base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <regex>

namespace tollgate {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  std::string read_some() const {
    std::string text(65536, '\0');
    const ssize_t n = ::read(read_end.get(), text.data(), text.size());
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

TEST(Log, writes_time_level_source_and_message_on_one_line) {
  Pipe pipe;
  Log log("supervisor", pipe.write_end.get());
  log.warning("reloaded {} routes", 3);
  EXPECT_TRUE(std::regex_match(
      pipe.read_some(),
      std::regex(
          R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning supervisor\[\d+\]: reloaded 3 routes\n)")));
}

TEST(Log, a_message_cannot_forge_a_second_line) {
  Pipe pipe;
  Log log("worker", pipe.write_end.get());
  log.info("{}", "a\nb\rc\x7f");
  const std::string text = pipe.read_some();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find("a b c \n"), std::string::npos);
}

TEST(Log, a_long_line_is_cut_and_still_ends) {
  Pipe pipe;
  Log log("worker", pipe.write_end.get());
  log.write(Log::Level::info, std::string(100'000, 'x'));
  const std::string text = pipe.read_some();
  EXPECT_EQ(text.size(), Log::line_bytes_max);
  EXPECT_EQ(text.back(), '\n');
}

TEST(Log, a_sink_that_nobody_reads_drops_and_counts_but_does_not_block) {
  Pipe pipe;
  Log log("worker", pipe.write_end.get());
  const std::string message(4000, 'x');
  for (int i = 0; i < 100; ++i) log.write(Log::Level::info, message);
  EXPECT_GT(log.dropped(), 0u);
}

TEST(Log, a_pipe_opened_anew_does_not_change_how_others_write_to_it) {
  Pipe pipe;
  const UniqueFd sink = open_nonblocking_sink(pipe.write_end.get());
  ASSERT_TRUE(sink);
  EXPECT_TRUE(fcntl(sink.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_FALSE(fcntl(pipe.write_end.get(), F_GETFL) & O_NONBLOCK);
}

}  // namespace
}  // namespace tollgate
