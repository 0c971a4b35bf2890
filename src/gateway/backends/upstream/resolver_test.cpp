#include "gateway/backends/upstream/resolver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>

namespace tollgate::gateway {
namespace {

expected<Resolved, std::string> ask(const std::string& host) {
  EventLoop loop;
  std::optional<expected<Resolved, std::string>> answer;
  asio::co_spawn(loop, [&]() -> Task<> { answer = co_await resolve(loop, host); }, asio::detached);
  loop.run_for(std::chrono::seconds(15));
  if (!answer) return unexpected(std::string("no answer in time"));
  return *answer;
}

TEST(Resolver, gives_literal_addresses_back) {
  for (const std::string address : {"192.0.2.1", "2001:db8::1"}) {
    const auto resolved = ask(address);
    ASSERT_TRUE(resolved) << resolved.error();
    EXPECT_THAT(resolved->addresses, testing::ElementsAre(address));
    EXPECT_GE(resolved->ttl, resolve_ttl_min);
  }
}

TEST(Resolver, knows_localhost_without_a_server) {
  const auto resolved = ask("localhost");
  ASSERT_TRUE(resolved) << resolved.error();
  EXPECT_THAT(resolved->addresses, testing::Contains("127.0.0.1"));
}

TEST(Resolver, names_the_host_that_has_no_address) {
  const auto resolved = ask("no-such-host.invalid");
  ASSERT_FALSE(resolved);
  EXPECT_THAT(resolved.error(), testing::HasSubstr("no-such-host.invalid"));
}

}  // namespace
}  // namespace tollgate::gateway
