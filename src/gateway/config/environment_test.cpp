#include "gateway/config/environment.hpp"

#include <gtest/gtest.h>

namespace tollgate::gateway {
namespace {

std::optional<std::string> lookup(const std::string& name) {
  if (name == "SET") return "value";
  if (name == "EMPTY") return "";
  if (name == "NESTED") return "${SET}";
  if (name == "BINARY") return "\xff";
  return std::nullopt;
}

TEST(Expansion, replaces_variables_and_defaults) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},
      {"plain $ text } {", "plain $ text } {"},
      {"${SET}", "value"},
      {"a${SET}b${SET}c", "avaluebvaluec"},
      {"${SET:-other}", "value"},
      {"${UNSET:-other}", "other"},
      {"${EMPTY:-other}", "other"},
      {"${EMPTY}", ""},
      {"${UNSET:-}", ""},
      {"${UNSET:-http://a:1/${SET}", "http://a:1/${SET"},
      {"${UNSET:-a:-b}", "a:-b"},
      {"$${SET}", "${SET}"},
      {"$$${SET}", "$${SET}"},
      {"${NESTED}", "${SET}"},
  };
  for (const auto& [text, expanded] : cases) {
    const auto result = expand(text, lookup);
    ASSERT_TRUE(result) << text << ": " << result.error().found;
    EXPECT_EQ(*result, expanded) << text;
  }
}

TEST(Expansion, refuses_what_it_cannot_replace) {
  for (const std::string_view text :
       {"${UNSET}", "${", "${}", "x${SET", "${1A}", "${A B}", "${:-x}", "${SET-x}"}) {
    EXPECT_FALSE(expand(text, lookup)) << text;
  }
  EXPECT_FALSE(expand("${BINARY}", lookup)) << "only UTF-8 can be handed on";
}

}  // namespace
}  // namespace tollgate::gateway
