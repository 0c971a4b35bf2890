#include "base/turn_end.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace tollgate {
namespace {

class Note final : public TurnEnd::Item {
 public:
  Note(std::string& log, char letter) : log_(log), letter_(letter) {}
  void at_turn_end() override { log_ += letter_; }

 private:
  std::string& log_;
  char letter_;
};

class TurnEndTest : public ::testing::Test {
 protected:
  EventLoop loop{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  TurnEnd& turn_end = asio::use_service<TurnEnd>(loop);
  std::string log;
  Note a{log, 'a'};
  Note b{log, 'b'};
};

TEST_F(TurnEndTest, runs_after_the_handlers_that_were_ready_in_the_order_of_adding) {
  asio::post(loop, [this] { turn_end.add(b); });
  asio::post(loop, [this] { turn_end.add(a); });
  asio::post(loop, [this] { log += '.'; });
  loop.run();
  EXPECT_EQ(log, ".ba");
}

TEST_F(TurnEndTest, what_is_added_twice_runs_once_and_again_in_the_next_turn) {
  asio::post(loop, [this] {
    turn_end.add(a);
    turn_end.add(a);
  });
  loop.run();
  loop.restart();
  asio::post(loop, [this] { turn_end.add(a); });
  loop.run();
  EXPECT_EQ(log, "aa");
}

TEST_F(TurnEndTest, runs_at_once_when_told_and_forgets_what_is_gone) {
  auto gone = std::make_unique<Note>(log, 'x');
  turn_end.add(*gone);
  turn_end.add(a);
  gone.reset();
  turn_end.run();
  EXPECT_EQ(log, "a");
  loop.run();
  EXPECT_EQ(log, "a");
}

TEST_F(TurnEndTest, gathers_no_more_than_a_few_dozen) {
  std::vector<std::unique_ptr<Note>> many;
  for (int i = 0; i < 80; ++i) turn_end.add(*many.emplace_back(std::make_unique<Note>(log, 'n')));
  EXPECT_EQ(log.size(), 64u);
  turn_end.run();
  EXPECT_EQ(log.size(), 80u);
}

}  // namespace
}  // namespace tollgate
