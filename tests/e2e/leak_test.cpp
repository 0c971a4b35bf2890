// Nothing of a request is ever seen by another: one guest leaves a secret everywhere, the same program and
// another one search for it, in one worker, whatever way the writers ended.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

class Leaks : public ::testing::Test {
 protected:
  Leaks() {
    // Another program that does the same: its bytes differ by an empty custom section.
    std::ifstream file(guest("secret_keeper_c"), std::ios::binary);
    std::string module((std::istreambuf_iterator<char>(file)), {});
    module += std::string("\0\2\1x", 4);
    const std::string limits = "limits = { cpu = \"20ms\" }\n";
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::with_config(
        one_worker + wasm_route("/same", "secret_keeper_c", limits) +
        "[[route]]\npath = \"/other\"\nwasm = \"" + folder_.write("other.wasm", module) + "\"\n" + limits));
    connection_ = std::make_unique<Connection>(gateway_->port());
  }

  Response ask(const std::string& target) {
    connection_->send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return connection_->read_response();
  }
  void write_and_look(const std::string& how, int expected_status) {
    EXPECT_EQ(ask("/same?write" + how).status, expected_status) << how;
    for (const char* who : {"/same?look", "/other?look"}) {
      const Response seen = ask(who);
      ASSERT_EQ(seen.status, 200);
      ASSERT_EQ(seen.body, "found 0\n") << "after write" << how << " by " << who;
    }
  }

  TempDir folder_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(Leaks, nothing_after_requests_that_ended_well_trapped_exited_or_yielded) {
  for (int round = 0; round < 100; ++round) {
    write_and_look("", 200);
    write_and_look("-trap", 500);
    write_and_look("-exit", 500);
    if (round % 20 == 0) write_and_look("-yield", 200);
    if (HasFatalFailure()) return;
  }
}

TEST_F(Leaks, nothing_after_requests_that_ran_out_of_time) {
  for (int round = 0; round < 5; ++round) write_and_look("-spin", 504);
}

}  // namespace
}  // namespace tollgate::testing
