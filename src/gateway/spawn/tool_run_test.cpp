#include "gateway/spawn/tool_run.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace tollgate::gateway {
namespace {

using Reason = ToolFailure::Reason;
using std::chrono::milliseconds;

expected<std::string, ToolFailure> run(const std::string& script, milliseconds wall = milliseconds(10'000)) {
  return run_tool({.argv = {"/bin/sh", "-c", script}, .limits = {.wall = wall}});
}

TEST(ToolRun, gives_what_a_tool_wrote_to_either_stream) {
  const auto text = run("echo out; echo err >&2");
  ASSERT_TRUE(text) << text.error().detail;
  EXPECT_EQ(*text, "out\nerr\n");
}

TEST(ToolRun, tells_what_a_tool_said_before_it_failed) {
  const auto text = run("echo no such option; exit 2");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().reason, Reason::failed);
  EXPECT_EQ(text.error().detail, "no such option\n");
}

TEST(ToolRun, keeps_the_first_bytes_of_endless_output) {
  const auto text = run("head -c 1000000 /dev/zero | tr '\\0' x");
  ASSERT_TRUE(text) << text.error().detail;
  EXPECT_EQ(*text, std::string(4096, 'x'));
}

TEST(ToolRun, ends_at_its_time_whatever_the_tool_does_with_its_output) {
  for (const char* script : {"sleep 30", "exec >&- 2>&-; sleep 30", "sleep 30 & exit 0"}) {
    const auto begun = std::chrono::steady_clock::now();
    const auto text = run(script, milliseconds(300));
    ASSERT_FALSE(text) << script;
    EXPECT_EQ(text.error().reason, Reason::wall) << script;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10)) << script;
  }
}

TEST(ToolRun, keeps_a_bound_that_is_lower_than_its_own) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // may not raise it again
    const rlimit lower{1u << 20, 1u << 20};
    if (setrlimit(RLIMIT_FSIZE, &lower) != 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
      _exit(2);
    const auto text = run_tool({.argv = {"/bin/sh", "-c", "ulimit -f"}, .limits = {.file_bytes = 2u << 20}});
    _exit(text == "2048\n" ? 0 : 1);  // in blocks of 512 bytes
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ToolRun, says_why_a_tool_does_not_start) {
  const auto text = run_tool({.argv = {"/no/such/tool"}});
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().reason, Reason::start);
  EXPECT_EQ(text.error().detail, "No such file or directory");
}

}  // namespace
}  // namespace tollgate::gateway
