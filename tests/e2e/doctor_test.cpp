// tollgate doctor: a verdict for scripts and a sentence for people.
#include <gtest/gtest.h>

#include "tests/support/gateway_process.hpp"

namespace tollgate::testing {
namespace {

TEST(Doctor, says_what_is_there_and_exits_0_where_tollgate_can_serve) {
  const Exit exit = run_tollgate({"doctor"});
  EXPECT_EQ(exit.code, 0) << exit.out;
  for (const char* what :
       {"kernel", "CPUs", "SO_REUSEPORT", "vm.max_map_count", "seccomp", "wasmtime", "nginx"}) {
    EXPECT_NE(exit.out.find(what), std::string::npos) << what;
  }
  EXPECT_NE(exit.out.find("tollgate can serve here"), std::string::npos);
}

TEST(Doctor, finds_no_tool_where_there_is_no_path_and_says_how_to_get_them) {
  const Exit exit = run_tollgate({"doctor"}, {{"PATH", "/nonexistent"}});
  EXPECT_EQ(exit.code, 0) << exit.out;
  EXPECT_NE(exit.out.find("apt-get install wrk"), std::string::npos) << exit.out;
}

}  // namespace
}  // namespace tollgate::testing
