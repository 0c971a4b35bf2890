#include "http/message.hpp"

#include <gtest/gtest.h>

namespace tollgate::http {
namespace {

TEST(Fields, are_found_without_regard_to_case) {
  Fields fields;
  fields.add("Content-Type", "text/plain");
  fields.add("X-Two", "1");
  fields.add("x-two", "2");
  EXPECT_EQ(fields.find("content-type"), "text/plain");
  EXPECT_EQ(fields.find("X-TWO"), "1");
  EXPECT_EQ(fields.count("x-Two"), 2u);
  EXPECT_EQ(fields.find("content-typ"), std::nullopt);
}

}  // namespace
}  // namespace tollgate::http
