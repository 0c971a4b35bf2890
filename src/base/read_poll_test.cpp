#include "base/read_poll.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/unique_fd.hpp"

namespace tollgate {
namespace {

struct Pair {
  Pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
      throw std::runtime_error("");
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
  void say(const std::string& text) const {
    ASSERT_EQ(::write(far.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  UniqueFd near, far;
};

class Recorder final : public ReadPoll::Reader {
 public:
  void on_readable(ReadPoll::Seen seen) override { log += seen == ReadPoll::Seen::end ? 'e' : 'b'; }
  void go_on() override {
    log += '.';
    if (then) then();
  }
  std::string log;
  std::function<void()> then;
};

class ReadPollTest : public ::testing::Test {
 protected:
  void turns() { loop.run_for(std::chrono::milliseconds(20)); }

  EventLoop loop{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  ReadPoll& poll = asio::use_service<ReadPoll>(loop);
  Pair a, b;
  Recorder reader_a, reader_b;
};

TEST_F(ReadPollTest, tells_of_what_is_there_already_and_of_what_comes_once_each) {
  a.say("x");
  ASSERT_TRUE(poll.watch(a.near.get(), reader_a));
  turns();
  EXPECT_EQ(reader_a.log, "b.");
  a.say("y");
  turns();
  EXPECT_EQ(reader_a.log, "b.b.");
}

TEST_F(ReadPollTest, tells_the_end_even_behind_bytes) {
  ASSERT_TRUE(poll.watch(a.near.get(), reader_a));
  a.say("x");
  a.far.reset();
  turns();
  EXPECT_EQ(reader_a.log, "e.");
}

TEST_F(ReadPollTest, a_reader_forgotten_by_another_of_the_same_batch_does_not_go_on) {
  ASSERT_TRUE(poll.watch(a.near.get(), reader_a));
  ASSERT_TRUE(poll.watch(b.near.get(), reader_b));
  reader_a.then = [this] { poll.forget(b.near.get(), reader_b); };
  reader_b.then = [this] { poll.forget(a.near.get(), reader_a); };
  a.say("x");
  b.say("x");
  turns();
  EXPECT_EQ((reader_a.log + reader_b.log).size(), 3u);  // both were readable, one went on
}

TEST_F(ReadPollTest, all_that_became_readable_together_receive_before_the_first_goes_on) {
  ASSERT_TRUE(poll.watch(a.near.get(), reader_a));
  ASSERT_TRUE(poll.watch(b.near.get(), reader_b));
  std::string seen_by_first;
  reader_a.then = reader_b.then = [&] {
    if (seen_by_first.empty()) seen_by_first = reader_a.log + reader_b.log;
  };
  a.say("x");
  b.say("x");
  turns();
  EXPECT_EQ(seen_by_first.size(), 3u) << seen_by_first;
}

TEST_F(ReadPollTest, more_sockets_than_a_batch_takes_are_all_told) {
  std::vector<Pair> pairs(150);
  std::vector<Recorder> readers(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    ASSERT_TRUE(poll.watch(pairs[i].near.get(), readers[i]));
    pairs[i].say("x");
  }
  turns();
  for (const Recorder& reader : readers) EXPECT_EQ(reader.log, "b.");
}

TEST_F(ReadPollTest, refuses_what_cannot_be_watched) {
  EXPECT_FALSE(poll.watch(-1, reader_a));
}

}  // namespace
}  // namespace tollgate
