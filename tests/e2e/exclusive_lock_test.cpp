// Two gateways, or a gateway and anybody else, cannot share an address unnoticed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

std::string config(const std::string& listen) {
  return fmt::format("listen = \"{}\"\nworkers = 2\n[[route]]\npath = \"/hello\"\nnative = \"hello\"\n",
                     listen);
}

TEST(ExclusiveAddress, a_second_gateway_is_refused_with_the_address_and_the_first_serves_on) {
  const auto first = GatewayProcess::with_config(config("127.0.0.1:0"));
  const std::string address = fmt::format("127.0.0.1:{}", first.port());
  const TempDir folder;
  const Exit second = run_tollgate({"serve", "--config", folder.write("second.toml", config(address))});
  EXPECT_EQ(second.code, 1);
  EXPECT_EQ(second.out, "");
  EXPECT_NE(second.err.find(address), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("already"), std::string::npos) << second.err;
  for (int i = 0; i < 16; ++i) EXPECT_EQ(get(first.port(), "/hello").status, 200);
}

TEST(ExclusiveAddress, the_wildcard_of_a_served_port_is_refused) {
  const auto first = GatewayProcess::with_config(config("127.0.0.1:0"));
  const TempDir folder;
  const std::string file = folder.write("second.toml", config(fmt::format("0.0.0.0:{}", first.port())));
  EXPECT_EQ(run_tollgate({"serve", "--config", file}).code, 1);
}

TEST(ExclusiveAddress, an_address_is_free_again_when_its_gateway_has_ended) {
  std::uint16_t port = 0;
  {
    auto first = GatewayProcess::with_config(config("127.0.0.1:0"));
    port = first.port();
    EXPECT_EQ(get(port, "/hello").status, 200);  // leaves a connection in TIME_WAIT
    first.signal(SIGTERM);
    EXPECT_EQ(first.wait().code, 0);
  }
  const auto second = GatewayProcess::with_config(config(fmt::format("127.0.0.1:{}", port)));
  EXPECT_EQ(get(second.port(), "/hello").status, 200);
}

}  // namespace
}  // namespace tollgate::testing
