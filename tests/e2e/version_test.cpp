#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gateway_process.hpp"

namespace tollgate::testing {
namespace {

using ::testing::HasSubstr;

TEST(Version, names_the_program_and_its_engine) {
  const Exit exit = run_tollgate({"--version"});
  EXPECT_EQ(exit.code, 0);
  EXPECT_THAT(exit.out, HasSubstr("tollgate "));
  EXPECT_THAT(exit.out, HasSubstr("wasmtime 48."));
}

}  // namespace
}  // namespace tollgate::testing
