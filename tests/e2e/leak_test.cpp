// Nothing of a request is ever seen by another: one guest leaves a secret everywhere, the same program and
// another one search for it, in one worker, whatever way the writers ended.
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

// What the guest leaves in its memory, and the writers get as a header, so that it is in their environment
// too.
const std::string secret = "ADGJMPSVY\\_behkn";

class Leaks : public ::testing::Test {
 protected:
  struct Asked {
    std::string target;
    int status;
  };

  Leaks() {
    // Another program that does the same: its bytes differ by an empty custom section.
    const std::string module = read_file(guest("secret_keeper_c")) + std::string("\0\2\1x", 4);
    const std::string limits = "limits = { cpu = \"60ms\" }\n";
    toml_ = one_worker + wasm_route("/same", "secret_keeper_c", limits) +
            "[[route]]\npath = \"/other\"\nwasm = \"" + folder_.write("other.wasm", module) + "\"\n" + limits;
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::with_config(toml_));
    for (auto& connection : connections_) connection = std::make_unique<Connection>(gateway_->port());
  }

  // A writer that ends in that way, and then both programs look.
  void plan(const std::string& how, int status) {
    planned_.push_back({"/same?write" + how, status});
    planned_.push_back({"/same?look", 200});
    planned_.push_back({"/other?look", 200});
  }

  // Sends what is planned on every connection at once, pipelined: the guests of one run between those of the
  // other.
  void ask_all() {
    std::string requests;
    for (const Asked& asked : planned_) {
      const bool writes = asked.target.starts_with("/same?write");
      requests += "GET " + asked.target + " HTTP/1.1\r\nHost: a\r\n" +
                  (writes ? "X-Secret: " + secret + "\r\n" : "") + "\r\n";
    }
    for (auto& connection : connections_) connection->send(requests);
    for (auto& connection : connections_) {
      for (const Asked& asked : planned_) {
        const Response answer = connection->read_response();
        ++answers_;
        ASSERT_EQ(answer.status, asked.status) << asked.target;
        if (asked.target.ends_with("look")) {  // shorter than what writers print: nothing of it may follow
          ASSERT_EQ(answer.body, "found 0\n") << asked.target;
        } else if (asked.status == 200) {
          ASSERT_EQ(answer.body, secret);
        } else {  // printed before it failed: not sent
          ASSERT_EQ(answer.body.find(secret), std::string::npos) << asked.target;
        }
      }
    }
    planned_.clear();
  }

  // The same programs anew, in the same worker; the old ones are unloaded.
  void reload() {
    const std::size_t from = gateway_->err().size();
    gateway_->rewrite_config(toml_ + "[[route]]\npath = \"/more\"\nnative = \"hello\"\n");
    gateway_->signal(SIGHUP);
    ASSERT_TRUE(gateway_->wait_for_log("reloaded", std::chrono::seconds(10), from)) << gateway_->err();
  }

  TempDir folder_;
  std::string toml_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::array<std::unique_ptr<Connection>, 2> connections_;
  std::vector<Asked> planned_;
  std::size_t answers_ = 0;
};

// Slots are used again and again, and each of their hot sets decays some forty times.
TEST_F(Leaks, nothing_in_ten_thousand_requests_that_end_in_every_way_over_a_reload) {
  for (int round = 0; answers_ < 10'000; ++round) {
    plan("", 200);
    plan("-trap", 500);
    plan("-exit", 500);
    if (round % 20 == 0) plan("-yield", 200);
    if (round % 100 == 50) plan("-spin", 504);
    ask_all();
    if (round == 250) reload();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace tollgate::testing
