#include "gateway/observe/log_sink.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "base/log.hpp"

namespace tollgate::gateway {
namespace {

std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string line(std::size_t bytes) {
  return std::string(bytes - 1, 'x') + "\n";
}

// Writes lines until the sink is blocked; the bytes it took.
std::size_t fill(LogSink& sink, std::size_t line_bytes) {
  std::size_t taken = 0;
  const std::string one = line(line_bytes);
  for (int i = 0; i < 100'000; ++i) {
    std::string_view rest = one;
    if (sink.write(rest) != LogSink::Result::done) return taken + one.size() - rest.size();
    taken += one.size();
  }
  return taken;
}

std::string read_all(int fd) {
  std::string all;
  char piece[65536];
  EXPECT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  for (;;) {
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count <= 0) return all;
    all.append(piece, static_cast<std::size_t>(count));
  }
}

TEST(LogSink, does_not_wait_for_a_reader_of_a_pipe_it_opened_anew) {
  auto [reader, writer] = make_pipe();
  UniqueFd own = open_nonblocking_sink(writer.get());
  ASSERT_TRUE(own);
  EXPECT_EQ(::fcntl(writer.get(), F_GETFL) & O_NONBLOCK, 0) << "the shared description was changed";
  LogSink sink(std::move(own));
  EXPECT_GE(fill(sink, 100), 16u * 1024);
  EXPECT_EQ(read_all(reader.get()).size() % 100, 0u) << "a line was cut";
}

TEST(LogSink, does_not_wait_for_a_reader_of_a_shared_pipe) {
  auto [reader, writer] = make_pipe();
  LogSink sink(UniqueFd(::dup(writer.get())));
  EXPECT_GE(fill(sink, 100), 16u * 1024);
  EXPECT_EQ(::fcntl(writer.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(read_all(reader.get()).size() % 100, 0u) << "a line was cut";
}

TEST(LogSink, does_not_wait_for_a_reader_of_a_socket) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd reader(ends[0]);
  LogSink sink(UniqueFd(::dup(ends[1])));
  EXPECT_GE(fill(sink, 100), 16u * 1024);
  EXPECT_EQ(::fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
  ::close(ends[1]);
}

TEST(LogSink, goes_on_where_it_stopped) {
  auto [reader, writer] = make_pipe();
  UniqueFd own = open_nonblocking_sink(writer.get());
  ASSERT_TRUE(own);
  LogSink sink(std::move(own));
  fill(sink, 4000);
  const std::string two = "first\nsecond\n";
  std::string_view rest = two;
  EXPECT_EQ(sink.write(rest), LogSink::Result::done) << "a pipe merges small writes into its last page";
  fill(sink, 1);
  rest = two;
  ASSERT_EQ(sink.write(rest), LogSink::Result::blocked);
  read_all(reader.get());
  EXPECT_EQ(sink.write(rest), LogSink::Result::done);
  EXPECT_EQ(read_all(reader.get()), two);
}

TEST(LogSink, writes_many_lines_whole_into_a_pipe) {
  auto [reader, writer] = make_pipe();
  LogSink sink(UniqueFd(::dup(writer.get())));
  std::string lines;
  for (int i = 0; i < 300; ++i) lines += line(90 + static_cast<std::size_t>(i % 7));
  std::string_view rest = lines;
  EXPECT_EQ(sink.write(rest), LogSink::Result::done);
  EXPECT_EQ(read_all(reader.get()), lines);
}

TEST(LogSink, tells_when_nobody_can_read_any_more) {
  auto [reader, writer] = make_pipe();
  reader.reset();
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  LogSink sink(std::move(writer));
  std::string_view rest = "lost\n";
  EXPECT_EQ(sink.write(rest), LogSink::Result::failed);
  std::signal(SIGPIPE, old);
}

TEST(LogSink, appends_to_a_file) {
  const std::string path = testing::TempDir() + "tollgate_log_sink_test." + std::to_string(::getpid());
  for (const std::string_view text : {"one\n", "two\n"}) {
    auto fd = open_log_file(path);
    ASSERT_TRUE(fd.has_value()) << fd.error();
    LogSink sink(std::move(*fd));
    std::string_view rest = text;
    EXPECT_EQ(sink.write(rest), LogSink::Result::done);
  }
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_EQ(content.str(), "one\ntwo\n");
}

// What a full disk does, done by the limit on a file's size.
TEST(LogSink, begins_a_new_line_behind_one_that_was_cut) {
  const std::string path = testing::TempDir() + "tollgate_log_sink_test." + std::to_string(::getpid());
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto fd = open_log_file(path);
  ASSERT_TRUE(fd.has_value()) << fd.error();
  LogSink sink(std::move(*fd));
  const rlimit six_bytes{6, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &six_bytes), 0);
  std::string_view rest = "one\ntwo three\n";
  EXPECT_EQ(sink.write(rest), LogSink::Result::failed);
  for (const std::string_view lost : {"four\n", "five\n"}) {
    rest = lost;
    EXPECT_EQ(sink.write(rest), LogSink::Result::failed);
    EXPECT_EQ(rest, lost);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  for (const std::string_view text : {"six\n", "seven\n"}) {
    rest = text;
    EXPECT_EQ(sink.write(rest), LogSink::Result::done);
  }
  std::signal(SIGXFSZ, old);
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_EQ(content.str(), "one\ntw\nsix\nseven\n");
}

TEST(LogSink, names_the_file_it_cannot_open) {
  const auto fd = open_log_file("/nowhere/access.log");
  ASSERT_FALSE(fd.has_value());
  EXPECT_EQ(fd.error(), "cannot open the log /nowhere/access.log: No such file or directory");
}

}  // namespace
}  // namespace tollgate::gateway
