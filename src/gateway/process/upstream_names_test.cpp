// Names of upstreams over time, with a name server of the test's own.
#include "gateway/process/upstream_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "gateway/backends/upstream/resolver.hpp"
#include "gateway/testing/fake_exchange.hpp"
#include "gateway/testing/name_server.hpp"

namespace tollgate::gateway {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;

Config with_upstream(const std::string& host) {
  Config config;
  UpstreamBackend upstream;
  upstream.host = host;
  config.routes.emplace_back().backend = upstream;
  return config;
}

class Names : public ::testing::Test {
 protected:
  std::vector<std::string> known() const {
    const auto messages = names_.known();
    if (messages.size() != 1 || messages[0].upstreams.size() != 1) return {};
    return messages[0].upstreams[0].addresses;
  }
  message::Upstreams changes() {
    message::Upstreams changed;
    testing::run(loop_, [](UpstreamNames& names, message::Upstreams& to) -> Task<> {
      to = co_await names.changes();
    }(names_, changed));
    return changed;
  }

  static constexpr std::uint32_t ttl_seconds = 1;  // shorter than what is asked at most: resolve_ttl_min
  testing::NameServer server_{"127.0.0.1", ttl_seconds};
  EventLoop loop_;
  Log log_{"test", STDERR_FILENO};
  UpstreamNames names_{loop_, log_, server_.address_and_port()};
};

TEST_F(Names, a_changed_answer_is_found_when_its_time_to_live_is_over_and_not_before) {
  testing::run(loop_, names_.learn(with_upstream("back.example")));
  EXPECT_THAT(known(), ElementsAre("127.0.0.1"));
  const int asked = server_.asked();
  server_.set("127.0.0.2");
  const auto begun = steady_clock::now();
  const message::Upstreams changed = changes();
  EXPECT_GE(steady_clock::now() - begun, resolve_ttl_min - std::chrono::milliseconds(500));
  EXPECT_LT(steady_clock::now() - begun, resolve_ttl_min + std::chrono::seconds(5));
  ASSERT_EQ(changed.upstreams.size(), 1u);
  EXPECT_EQ(changed.upstreams[0].host, "back.example");
  EXPECT_THAT(changed.upstreams[0].addresses, ElementsAre("127.0.0.2"));
  EXPECT_THAT(known(), ElementsAre("127.0.0.2"));
  EXPECT_EQ(server_.asked(), asked + 1);
}

// As the supervisor does: it asks for changes from its start on, and a reload brings the name.
TEST_F(Names, one_learned_during_the_wait_for_changes_is_asked_again_in_its_own_time) {
  message::Upstreams changed;
  const auto begun = steady_clock::now();
  const auto watch = [](UpstreamNames& names, EventLoop& loop, message::Upstreams& to) -> Task<> {
    while (to.upstreams.empty()) to = co_await names.changes();
    loop.stop();
  };
  asio::co_spawn(loop_, watch(names_, loop_, changed), asio::detached);
  loop_.poll();
  asio::co_spawn(loop_, names_.learn(with_upstream("back.example")),
                 [this](std::exception_ptr) { server_.set("127.0.0.2"); });
  loop_.run_for(resolve_ttl_min + std::chrono::seconds(5));
  ASSERT_EQ(changed.upstreams.size(), 1u);
  EXPECT_THAT(changed.upstreams[0].addresses, ElementsAre("127.0.0.2"));
  EXPECT_GE(steady_clock::now() - begun, resolve_ttl_min);
}

}  // namespace
}  // namespace tollgate::gateway
