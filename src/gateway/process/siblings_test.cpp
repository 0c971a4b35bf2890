#include "gateway/process/siblings.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "gateway/process/ipc.hpp"

namespace tollgate::gateway {
namespace {

struct Crew {
  explicit Crew(std::vector<std::int32_t> connections) : workers(static_cast<unsigned>(connections.size())) {
    for (unsigned i = 0; i < workers; ++i) load.workers[i].connections = connections[i];
  }
  CrewLoad load;
  unsigned workers;
};

TEST(SiblingWithFewer, is_the_one_with_the_fewest) {
  const Crew crew({3, 2, 0, 1});
  EXPECT_EQ(sibling_with_fewer(crew.load, crew.workers, 0, 3), 2u);
}

TEST(SiblingWithFewer, is_nobody_where_the_two_would_change_places) {
  const Crew crew({1, 1, 2, 1});
  EXPECT_EQ(sibling_with_fewer(crew.load, crew.workers, 0, 1), std::nullopt);
}

TEST(SiblingWithFewer, is_nobody_who_takes_none) {
  const Crew crew({3, CrewLoad::takes_none, 3});
  EXPECT_EQ(sibling_with_fewer(crew.load, crew.workers, 0, 3), std::nullopt);
}

TEST(SiblingWithFewer, has_an_eighth_fewer_where_all_have_many) {
  const Crew crew({900, 800});
  EXPECT_EQ(sibling_with_fewer(crew.load, crew.workers, 0, 900), std::nullopt);
  EXPECT_EQ(sibling_with_fewer(crew.load, crew.workers, 0, 901), 1u);
}

TEST(SiblingWithFewer, is_spread_evenly_whoever_the_kernel_asks_first) {
  Crew crew({0, 0, 0, 0});
  for (int connection = 0; connection < 16; ++connection) {
    auto& asked = crew.load.workers[0].connections;
    const auto given = sibling_with_fewer(crew.load, crew.workers, 0, static_cast<std::uint64_t>(asked));
    ++crew.load.workers[given.value_or(0)].connections;
  }
  for (unsigned i = 0; i < crew.workers; ++i) EXPECT_EQ(crew.load.workers[i].connections, 4) << i;
}

TEST(SiblingLinks, are_for_crews_of_a_size_that_shares) {
  EXPECT_EQ(SiblingLinks::create(1), nullptr);
  EXPECT_EQ(SiblingLinks::create(siblings_max + 1), nullptr);
  const auto links = SiblingLinks::create(3);
  ASSERT_NE(links, nullptr);
  EXPECT_EQ(links->of_worker(2).size(), 2u + 3u);
}

std::vector<UniqueFd> ends_of(const SiblingLinks& links, unsigned worker) {
  std::vector<UniqueFd> ends;
  for (const int fd : links.of_worker(worker)) ends.emplace_back(::dup(fd));
  return ends;
}

TEST(Siblings, without_what_it_takes_are_refused_by_a_sentence) {
  EventLoop loop(1);
  EXPECT_FALSE(Siblings::make(loop, 0, {}));
  const auto links = SiblingLinks::create(2);
  EXPECT_FALSE(Siblings::make(loop, 2, ends_of(*links, 0)));  // there is no such worker
}

struct SocketPairEnds {
  SocketPairEnds() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near = UniqueFd(ends[0]);
    far = UniqueFd(ends[1]);
  }
  UniqueFd near;
  UniqueFd far;
};

class SiblingPair : public ::testing::Test {
 protected:
  std::unique_ptr<Siblings> worker(unsigned index) {
    auto made = Siblings::make(loop_, index, ends_of(*links_, index));
    return made ? std::move(*made) : nullptr;
  }

  EventLoop loop_{1};
  const std::shared_ptr<SiblingLinks> links_ = SiblingLinks::create(2);
  const std::unique_ptr<Siblings> giver_ = worker(0);
  std::unique_ptr<Siblings> taker_ = worker(1);
  const SocketPairEnds connection_;
};

TEST_F(SiblingPair, gives_to_who_serves_and_has_fewer) {
  EXPECT_FALSE(giver_->give_away(connection_.near.get(), 5));  // it has not said that it serves
  taker_->tell_open(1);
  EXPECT_TRUE(giver_->give_away(connection_.near.get(), 2));
  EXPECT_FALSE(giver_->give_away(connection_.near.get(), 2));  // that one counts already
  taker_->leave();
  EXPECT_FALSE(giver_->give_away(connection_.near.get(), 5));
}

TEST_F(SiblingPair, gives_nothing_to_one_that_ended) {
  taker_->tell_open(0);
  taker_.reset();
  links_->gone(1);
  EXPECT_FALSE(giver_->give_away(connection_.near.get(), 5));
}

TEST_F(SiblingPair, gives_no_more_than_is_worth_it) {
  int given = 0;
  for (int i = 0; i < 5000; ++i) {
    taker_->tell_open(0);
    if (giver_->give_away(connection_.near.get(), 1)) ++given;
    Packet packet;
    std::array<char, 16> room;
    receive_packet(links_->of_worker(1)[1], room, packet);
  }
  EXPECT_GE(given, 60);
  EXPECT_LT(given, 2500);
}

}  // namespace
}  // namespace tollgate::gateway
