#include "http/method.hpp"

#include <gtest/gtest.h>

namespace tollgate::http {
namespace {

TEST(Method, those_that_reach_a_route_are_told_from_those_that_do_not) {
  for (const char* name : {"GET", "HEAD", "PATCH", "PROPFIND", "M-SEARCH", "QUERY"}) {
    EXPECT_TRUE(is_served_method(name)) << name;
  }
  for (const char* name : {"", "get", "FOO", "GETS", "CONNECT", "PRI", "DESCRIBE", "FLUSH", "SOURCE"}) {
    EXPECT_FALSE(is_served_method(name)) << name;
  }
}

}  // namespace
}  // namespace tollgate::http
