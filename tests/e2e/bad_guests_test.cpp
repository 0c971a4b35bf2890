// Every way a guest goes wrong: its status, its word, its time; and a benign route beside it that does not
// notice.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "tests/support/background_load.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

using namespace std::chrono_literals;

struct Bad {
  const char* name;
  int status;
  const char* word;  // "" when it is answered well
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}

constexpr Bad bad_guests[] = {{"loop", 504, "cpu"},
                              {"loop_in_start", 504, "cpu"},
                              {"bulk_fill", 504, "cpu"},
                              {"recursion", 500, "trap"},
                              {"growth", 500, "memory"},
                              {"grow_then_unreachable", 500, "memory"},
                              {"unreachable", 500, "trap"},
                              {"stride_writer", 200, ""},
                              {"out_of_bounds", 500, "trap"},
                              {"division", 500, "trap"},
                              {"exit_3", 500, "exit"},
                              {"silence", 502, "response"},
                              {"output_flood", 502, "output"},
                              {"stderr_flood", 200, ""},
                              {"bad_pointers", 200, ""},
                              {"sleep_forever", 504, "deadline"},
                              {"busy_poll", 504, "cpu"},
                              {"random_1gib", 504, "cpu"},
                              {"many_headers", 502, "response"}};

class BadGuest : public ::testing::TestWithParam<Bad> {
 protected:
  static void SetUpTestSuite() {
    std::string config = one_worker + wasm_route("/benign", "echo_c", "abi = \"stdio\"\n");
    for (const Bad& bad : bad_guests) {
      config += wasm_route(std::string("/") + bad.name, std::string("bad/") + bad.name,
                           "limits = { deadline = \"4s\", cpu = \"300ms\" }");
    }
    gateway_ = new GatewayProcess(GatewayProcess::with_config(config));
  }
  static void TearDownTestSuite() { delete gateway_; }
  static GatewayProcess* gateway_;
};
GatewayProcess* BadGuest::gateway_ = nullptr;
INSTANTIATE_TEST_SUITE_P(All, BadGuest, ::testing::ValuesIn(bad_guests),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(BadGuest, ends_with_its_status_and_word_in_time_while_others_are_served) {
  const Bad& bad = GetParam();
  BackgroundLoad benign(gateway_->port(), "/benign", 1);
  ASSERT_TRUE(benign.wait_for_answers(1));
  const auto workers = gateway_->worker_pids();
  const auto begun = std::chrono::steady_clock::now();
  const Response response = get(gateway_->port(), std::string("/") + bad.name);
  // Far above what the limits say, for machines that are busy with other things.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s);
  EXPECT_EQ(response.status, bad.status);
  EXPECT_EQ(response.field("x-tollgate-error").value_or(""), bad.word);
  EXPECT_TRUE(benign.wait_for_answers(1));
  const auto counts = benign.stop();
  EXPECT_EQ(counts.lost, 0u);
  EXPECT_EQ(counts.refused, 0u);
  EXPECT_EQ(counts.answers.size(), 1u);
  EXPECT_EQ(gateway_->worker_pids(), workers);  // nobody had to be restarted
}

TEST(StderrFlood, leaves_no_more_in_the_log_than_its_limit_says) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + wasm_route("/flood", "bad/stderr_flood", "limits = { stderr = \"8KiB\" }"));
  const std::size_t before = gateway.err().size();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get(gateway.port(), "/flood").body, "logged\n");
  ASSERT_TRUE(gateway.wait_for_log("xxxxxxxx", 5s, before));
  std::this_thread::sleep_for(200ms);  // whatever else there is
  EXPECT_LT(gateway.err().size() - before, 3 * (8u << 10) + (4u << 10));
}

}  // namespace
}  // namespace tollgate::testing
