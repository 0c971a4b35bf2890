#include "http/field_policy.hpp"

#include <gtest/gtest.h>

namespace tollgate::http {
namespace {

TEST(FieldPolicy, a_token_is_not_empty_and_has_no_delimiters) {
  EXPECT_TRUE(is_token("X-Is_a.Token!#$%&'*+^`|~0"));
  EXPECT_FALSE(is_token(""));
  for (const char* text : {"a b", "a:b", "a\"b", "a(b", "a/b", "a=b", "a,b", "a\tb", "a\xc3\xa4", "a\x7f"}) {
    EXPECT_FALSE(is_token(text)) << text;
  }
}

TEST(FieldPolicy, a_value_has_no_control_bytes_but_tab) {
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a b\tc \xc3\xa4"));
  for (const std::string_view text :
       {std::string_view("a\rb"), std::string_view("a\nb"), std::string_view("a\0b", 3),
        std::string_view("a\x7f"), std::string_view("\x1f")}) {
    EXPECT_FALSE(is_field_value(text));
  }
}

TEST(FieldPolicy, trims_blanks_only) {
  EXPECT_EQ(trimmed(" \t a b \t"), "a b");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed("\na"), "\na");
}

TEST(FieldPolicy, finds_an_element_of_a_list_as_a_whole_in_any_case) {
  EXPECT_TRUE(list_has("gzip, Trailers ,x", "trailers"));
  EXPECT_TRUE(list_has("x", "X"));
  EXPECT_TRUE(list_has(",,a,", "a"));
  EXPECT_FALSE(list_has("trailers-not, no trailers", "trailers"));
  EXPECT_FALSE(list_has("", "a"));
}

TEST(FieldPolicy, every_connection_line_names_fields) {
  Fields fields;
  fields.add("connection", "close");
  fields.add("X-Other", "x-named");
  EXPECT_FALSE(named_by_connection(fields, "x-named"));
  fields.add("Connection", "keep-alive, X-Named");
  EXPECT_TRUE(named_by_connection(fields, "x-named"));
}

}  // namespace
}  // namespace tollgate::http
