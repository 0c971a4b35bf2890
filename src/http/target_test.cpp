#include "http/target.hpp"

#include <gtest/gtest.h>

namespace tollgate::http {
namespace {

std::string path_of(std::string_view text, Method method = Method::get) {
  std::string scratch;
  const auto target = parse_target(text, method, scratch);
  return target ? std::string(target->path) : "refused";
}

TEST(Target, path_is_passed_as_received) {
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("/a/b/"), "/a/b/");
  EXPECT_EQ(path_of("/a%20b"), "/a%20b");
  EXPECT_EQ(path_of("/%c3%a4"), "/%c3%a4");
  EXPECT_EQ(path_of("/a.b/..c/d../...?x"), "/a.b/..c/d../...");
  EXPECT_EQ(path_of("/-._~!$&'()*+,;=:@"), "/-._~!$&'()*+,;=:@");
}

TEST(Target, query_may_hold_what_browsers_send) {
  std::string scratch;
  const auto target = parse_target("/p?a={\"b\":[1|2]}&c=%00/..//?", Method::get, scratch);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->query, "a={\"b\":[1|2]}&c=%00/..//?");
  EXPECT_EQ(target->origin, "/p?a={\"b\":[1|2]}&c=%00/..//?");
}

TEST(Target, what_has_two_readings_is_refused) {
  for (const char* text : {"",     "a",    "//",  "/a//", "/.",  "/..",  "/a/./b", "/%2E", "/a%2eb",
                           "/%2F", "/%5c", "/\\", "/%",   "/%0", "/%0g", "/%00",   "/a#",  "/?#",
                           "/ ",   "/\"",  "/<",  "/[",   "/^",  "/`",   "/{",     "*"}) {
    EXPECT_EQ(path_of(text), "refused") << text;
  }
}

TEST(Target, asterisk_is_for_options_only) {
  EXPECT_EQ(path_of("*", Method::options), "*");
  EXPECT_EQ(path_of("*", Method::get), "refused");
  EXPECT_EQ(path_of("http://a", Method::options), "*");
}

TEST(Target, absolute_form_gives_its_authority) {
  std::string scratch;
  const auto target = parse_target("http://[::1]:81/p?q", Method::get, scratch);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "[::1]:81");
  EXPECT_EQ(target->origin, "/p?q");
  for (const char* text : {"https://a/", "http://", "http:///p", "http://u@a/", "http://a:/", "http://a:0/",
                           "http://[::1/", "http://a//b", "http://a/#f", "http://a#f"}) {
    EXPECT_EQ(path_of(text), "refused") << text;
  }
}

}  // namespace
}  // namespace tollgate::http
