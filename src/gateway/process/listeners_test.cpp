#include "gateway/process/listeners.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tollgate::gateway {
namespace {

UniqueFd connect_to(const std::string& address) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) return {};
  return fd;
}

TEST(ListenAddress, port_zero_gives_all_sockets_one_real_port) {
  const auto address = ListenAddress::open("127.0.0.1:0", 3);
  ASSERT_TRUE(address) << address.error();
  EXPECT_EQ(address->configured(), "127.0.0.1:0");
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(bound_address(address->socket(i)), address->actual());
  EXPECT_NE(address->actual(), "127.0.0.1:0");
}

TEST(ListenAddress, every_active_socket_gets_connections) {
  auto address = ListenAddress::open("127.0.0.1:0", 2);
  ASSERT_TRUE(address) << address.error();
  ASSERT_TRUE(address->activate());
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(connect_to(address->actual()));
  for (unsigned i = 0; i < 2; ++i) {
    EXPECT_TRUE(UniqueFd(accept4(address->socket(i), nullptr, nullptr, SOCK_CLOEXEC))) << "socket " << i;
  }
}

TEST(ListenAddress, a_socket_that_is_not_active_gets_none) {
  auto address = ListenAddress::open("127.0.0.1:0", 2);
  ASSERT_TRUE(address) << address.error();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(connect_to(address->actual()));
  int accepted = 0;
  while (UniqueFd(accept4(address->socket(0), nullptr, nullptr, SOCK_CLOEXEC))) ++accepted;
  EXPECT_EQ(accepted, 64);
}

TEST(ListenAddress, sockets_that_are_to_be_closed_get_no_more_until_others_are_opened) {
  auto address = ListenAddress::open("127.0.0.1:0", 3);
  ASSERT_TRUE(address) << address.error();
  ASSERT_TRUE(address->activate());
  const auto accepts = [&address](unsigned socket) {
    return static_cast<bool>(UniqueFd(accept4(address->socket(socket), nullptr, nullptr, SOCK_CLOEXEC)));
  };
  std::vector<UniqueFd> clients;
  const auto connect_many = [&] {
    for (int i = 0; i < 64; ++i) clients.push_back(connect_to(address->actual()));
  };
  address->steer_to_first(2);
  connect_many();
  EXPECT_TRUE(accepts(0) && accepts(1));
  EXPECT_FALSE(accepts(2));
  ASSERT_TRUE(address->resize(2));
  connect_many();
  ASSERT_TRUE(address->resize(3));
  ASSERT_TRUE(address->activate());
  connect_many();
  EXPECT_TRUE(accepts(2));
}

TEST(ListenAddress, a_second_gateway_on_the_same_address_is_refused) {
  const auto first = ListenAddress::open("127.0.0.1:0", 2);
  ASSERT_TRUE(first) << first.error();
  const auto second = ListenAddress::open(first->actual(), 2);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("another process"), std::string::npos) << second.error();
}

TEST(ListenAddress, an_address_that_the_wildcard_covers_is_refused_too) {
  const auto first = ListenAddress::open("127.0.0.1:0", 1);
  ASSERT_TRUE(first) << first.error();
  const std::string port = first->actual().substr(first->actual().rfind(':'));
  EXPECT_FALSE(ListenAddress::open("0.0.0.0" + port, 1));
}

TEST(ListenAddress, grows_and_shrinks_without_losing_its_port) {
  auto address = ListenAddress::open("127.0.0.1:0", 1);
  ASSERT_TRUE(address) << address.error();
  ASSERT_TRUE(address->resize(4));
  EXPECT_EQ(bound_address(address->socket(3)), address->actual());
  ASSERT_TRUE(address->resize(2));
  EXPECT_EQ(address->sockets(), 2u);
}

TEST(ListenAddress, knows_ipv6_in_brackets) {
  const auto address = ListenAddress::open("[::1]:0", 1);
  if (!address) GTEST_SKIP() << "no IPv6 loopback here: " << address.error();
  EXPECT_EQ(address->actual().rfind("[::1]:", 0), 0u);
}

TEST(ListenAddress, refuses_what_is_not_an_address) {
  for (const char* text :
       {"", "8080", "localhost:80", "127.0.0.1:", "127.0.0.1:99999", "::1:80", "127.0.0.1:80x"}) {
    EXPECT_FALSE(ListenAddress::open(text, 1)) << text;
  }
}

TEST(ListenerSet, an_address_in_both_sets_keeps_its_sockets) {
  const auto serving = ListenerSet::open({"127.0.0.1:0"}, 2, nullptr);
  ASSERT_TRUE(serving) << serving.error();
  const auto next = ListenerSet::open({"127.0.0.1:0"}, 3, &*serving);
  ASSERT_TRUE(next) << next.error();
  EXPECT_EQ(next->actual(), serving->actual());
  EXPECT_EQ(next->of_worker(1), serving->of_worker(1));
}

TEST(ListenerSet, one_that_cannot_be_opened_leaves_the_other_as_it_was) {
  const auto elsewhere = listen_alone("127.0.0.1:0");
  ASSERT_TRUE(elsewhere) << elsewhere.error();
  const auto serving = ListenerSet::open({"127.0.0.1:0"}, 1, nullptr);
  ASSERT_TRUE(serving) << serving.error();
  EXPECT_FALSE(ListenerSet::open({"127.0.0.1:0", bound_address(elsewhere->get())}, 2, &*serving));
  EXPECT_THROW(serving->of_worker(1), std::out_of_range);
}

}  // namespace
}  // namespace tollgate::gateway
