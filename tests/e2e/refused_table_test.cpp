// A table that the supervisor could prepare and a worker cannot load: no engine can be made in a process that
// may have no timer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/support/answer_table.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string native_route = answer_table("old");
const std::string guest_route = R"(
[[route]]
path = "/guest"
abi = "stdio"
wasm = ")" TOLLGATE_GUESTS_DIR R"(/gateway_wasm_c.wasm"
)";

// What an allocator, a sanitizer or the C++ runtime prints when a process dies, and the supervisor after it.
const auto names_the_reason_and_no_crash =
    AllOf(HasSubstr("gateway_wasm_c.wasm: epoch timer"), Not(HasSubstr("free()")),
          Not(HasSubstr("terminate")), Not(HasSubstr("Sanitizer")), Not(HasSubstr("signal")));

// Timers are queued signals: with none allowed, timer_create() fails. Processes started meanwhile inherit it.
class NoTimers {
 public:
  NoTimers() {
    getrlimit(RLIMIT_SIGPENDING, &before_);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_SIGPENDING, &none), 0);
  }
  ~NoTimers() { setrlimit(RLIMIT_SIGPENDING, &before_); }

 private:
  rlimit before_{};
};

TEST(RefusedTable, at_the_start_ends_it_with_the_modules_name_and_exit_code_1) {
  const TempDir folder;
  const std::string file = folder.write("tollgate.toml", native_route + guest_route);
  const NoTimers no_timers;
  const Exit exit = run_tollgate({"serve", "--config", file}, {{"XDG_CACHE_HOME", folder.path()}});
  EXPECT_EQ(exit.code, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_THAT(exit.err, names_the_reason_and_no_crash);
}

TEST(RefusedTable, at_a_reload_keeps_the_old_one_and_the_workers) {
  const NoTimers no_timers;
  const auto gateway = GatewayProcess::with_config(native_route);
  const auto workers = gateway.worker_pids();
  gateway.rewrite_config(native_route + guest_route);
  for (int i = 0; i < 3; ++i) {
    const std::size_t from = gateway.err().size();
    gateway.signal(SIGHUP);
    ASSERT_TRUE(gateway.wait_for_log("epoch timer", std::chrono::seconds(20), from)) << gateway.err();
  }
  for (int i = 0; i < 8; ++i) {  // connections go to either worker
    EXPECT_EQ(get(gateway.port(), "/answer").body, "old");
    EXPECT_EQ(get(gateway.port(), "/guest").status, 404);
  }
  EXPECT_EQ(gateway.worker_pids(), workers);
  EXPECT_THAT(gateway.err(), names_the_reason_and_no_crash);

  gateway.rewrite_config(native_route + "[[route]]\npath = \"/more\"\nnative = \"hello\"\n");
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 2 routes")) << gateway.err();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(get(gateway.port(), "/more").status, 200);
  EXPECT_EQ(gateway.worker_pids(), workers);
}

}  // namespace
}  // namespace tollgate::testing
