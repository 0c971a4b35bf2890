#include "gateway/process/ipc.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "gateway/process/memory_file.hpp"

namespace tollgate::gateway {
namespace {

struct TwoEnds {
  EventLoop loop{1};
  SocketPair pair = make_channel_pair().value();
  Channel left{loop, std::move(pair.ours)};
  Channel right{loop, std::move(pair.theirs)};

  // Runs until all tasks have ended; false when they did not within five seconds.
  template <class... Tasks>
  bool run(Tasks... tasks) {
    int left_to_end = sizeof...(tasks);
    (asio::co_spawn(loop, std::move(tasks), [&left_to_end](std::exception_ptr) { --left_to_end; }), ...);
    loop.run_for(std::chrono::seconds(5));
    return left_to_end == 0;
  }
};

Task<> send_many(Channel& channel, int packets, std::vector<int> fds) {
  for (int i = 0; i < packets; ++i) {
    const std::string bytes = std::to_string(i);
    co_await channel.send(bytes, fds);
  }
}

Task<> receive_many(Channel& channel, int packets, std::size_t fds_each, int& in_order) {
  for (int i = 0; i < packets; ++i) {
    const auto packet = co_await channel.receive();
    if (!packet || packet->bytes != std::to_string(i) || packet->fds.size() != fds_each) co_return;
    ++in_order;
  }
}

TEST(Channel, carries_a_thousand_programs_of_two_descriptors_each) {
  TwoEnds ends;
  const UniqueFd file = make_memory_file("code", "x").value();
  int in_order = 0;
  EXPECT_TRUE(ends.run(send_many(ends.left, 1500, {file.get(), file.get()}),
                       receive_many(ends.right, 1500, 2, in_order)));
  EXPECT_EQ(in_order, 1500);
}

TEST(Channel, carries_the_most_descriptors_a_packet_may_have) {
  TwoEnds ends;
  const UniqueFd file = make_memory_file("code", "x").value();
  int in_order = 0;
  EXPECT_TRUE(ends.run(send_many(ends.left, 3, std::vector<int>(packet_fds_max, file.get())),
                       receive_many(ends.right, 3, packet_fds_max, in_order)));
  EXPECT_EQ(in_order, 3);
}

Task<> receive_one(Channel& channel, std::optional<ChannelError::Kind>& error) {
  const auto packet = co_await channel.receive();
  if (!packet) error = packet.error().kind;
}

TEST(Channel, tells_when_the_other_end_is_gone) {
  TwoEnds ends;
  std::optional<ChannelError::Kind> error;
  ends.left.close();
  EXPECT_TRUE(ends.run(receive_one(ends.right, error)));
  EXPECT_EQ(error, ChannelError::Kind::closed);
}

TEST(Channel, closing_our_own_end_wakes_who_waits_on_it) {
  TwoEnds ends;
  std::optional<ChannelError::Kind> error;
  asio::post(ends.loop, [&ends] { asio::post(ends.loop, [&ends] { ends.right.close(); }); });
  EXPECT_TRUE(ends.run(receive_one(ends.right, error)));
  EXPECT_EQ(error, ChannelError::Kind::closed);
}

Task<> send_one(Channel& channel, std::string bytes, bool& sent) {
  const auto result = co_await channel.send(bytes);
  sent = result.has_value();
}

TEST(Channel, refuses_a_packet_over_its_bound) {
  TwoEnds ends;
  bool sent = true;
  EXPECT_TRUE(ends.run(send_one(ends.left, std::string(packet_bytes_max + 1, 'x'), sent)));
  EXPECT_FALSE(sent);
}

TEST(MemoryFile, gives_back_its_content_and_cannot_be_changed) {
  const std::string content(3'000'000, 'c');
  const UniqueFd file = make_memory_file("table", content).value();
  EXPECT_EQ(read_memory_file(file.get()).value(), content);
  EXPECT_EQ(pwrite(file.get(), "x", 1, 0), -1);
}

}  // namespace
}  // namespace tollgate::gateway
