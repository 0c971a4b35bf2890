#include "http/policy.hpp"

#include <gtest/gtest.h>

namespace tollgate::http {
namespace {

TEST(Policy, every_row_says_what_and_why) {
  for (int rule = 0; rule <= static_cast<int>(Rule::trailer_forbidden); ++rule) {
    const Refusal& row = refusal(static_cast<Rule>(rule));
    EXPECT_FALSE(row.what.empty());
    EXPECT_FALSE(row.rfc.empty());
    EXPECT_GE(row.reason->status, 400);
    EXPECT_LT(row.reason->status, 600);
  }
}

TEST(Policy, authority_is_one_host_and_a_port) {
  EXPECT_EQ(parse_authority("example.org")->host, "example.org");
  EXPECT_EQ(parse_authority("example.org:8080")->port, 8080);
  EXPECT_EQ(parse_authority("[2001:db8::1]:443")->host, "[2001:db8::1]");
  EXPECT_EQ(parse_authority("127.0.0.1:65535")->port, 65535);
  for (const char* text :
       {"",    ":80", "a:",  "a:0",  "a:65536", "a:8o",   "a:-1",    "a:+1", "a:000080",  "a,b", "a b",
        "u@a", "a/b", "a?b", "[::1", "::1",     "[::1]x", "[::1%1]", "[]",   "[1.2.3.4]", "a%41"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(Policy, content_length_is_digits_that_fit) {
  EXPECT_EQ(parse_content_length("0"), 0u);
  EXPECT_EQ(parse_content_length("007"), 7u);
  EXPECT_EQ(parse_content_length("999999999999999999"), 999999999999999999u);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "0x1", "1,1", "1e3", "1000000000000000000"}) {
    EXPECT_FALSE(parse_content_length(text)) << text;
  }
}

}  // namespace
}  // namespace tollgate::http
