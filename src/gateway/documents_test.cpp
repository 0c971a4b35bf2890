// The documents are kept true: every reason and key is in docs/configuration.md, every metric and field of
// the access log in docs/operations.md.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "gateway/config/config_reader.hpp"

namespace tollgate::gateway {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(std::string(TOLLGATE_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match) {
    found.insert((*match)[1].str() + ((*match).size() > 2 ? " " + (*match)[2].str() : ""));
  }
  return found;
}

TEST(ConfigurationDocument, lists_every_reason_with_its_status_and_no_other) {
  const std::string reasons = content("src/http/reason.hpp") + content("src/gateway/reasons.hpp");
  const auto in_source = matches(reasons, R"re(constexpr Reason \w+\{\s*"(\w+)",\s*(\d+),)re");
  const auto in_document = matches(content("docs/configuration.md"), R"re(\| `(\w+)` \| (\d{3}) \|)re");
  EXPECT_GT(in_source.size(), 30u);
  EXPECT_EQ(in_document, in_source);
}

TEST(ConfigurationDocument, names_every_key_that_is_read) {
  const std::string document = content("docs/configuration.md");
  const std::string readers =
      content("src/gateway/config/config_reader.cpp") + content("src/gateway/config/route_reader.cpp");
  const auto keys = matches(
      readers,
      R"re(\.(?:string|duration|size|integer|parsed|strings|string_map|table|tables|boolean)\(\s*"(\w+)")re");
  EXPECT_GT(keys.size(), 25u);
  for (const std::string& key : keys) {
    const bool is_named = document.find('`' + key + '`') != std::string::npos ||
                          document.find(key + " = ") != std::string::npos ||
                          document.find('.' + key + '`') != std::string::npos ||
                          document.find("[[" + key + "]]") != std::string::npos ||
                          document.find('`' + key + '.') != std::string::npos;
    EXPECT_TRUE(is_named) << key;
  }
}

TEST(ConfigurationDocument, tells_how_many_routes_and_addresses_there_may_be) {
  const std::string document = content("docs/configuration.md");
  EXPECT_NE(document.find("at least one, at most " + std::to_string(routes_max) + " "), std::string::npos);
  EXPECT_NE(document.find("an array of up to " + std::to_string(listen_addresses_max) + " "),
            std::string::npos);
}

TEST(OperationsDocument, names_every_metric) {
  const std::string document = content("docs/operations.md");
  const auto families = matches(content("src/gateway/observe/metrics.cpp"), R"re("(tollgate_\w+)")re");
  EXPECT_GT(families.size(), 25u);
  for (const std::string& family : families) {
    EXPECT_NE(document.find('`' + family), std::string::npos) << family;
  }
}

TEST(OperationsDocument, names_every_field_of_the_access_log) {
  const std::string document = content("docs/operations.md");
  const auto fields = matches(content("src/gateway/observe/access_log.cpp"),
                              R"re(line\.(?:text|plain_text|number|milliseconds)\("(\w+)")re");
  EXPECT_GT(fields.size(), 15u);
  for (const std::string& field : fields) {
    EXPECT_NE(document.find('`' + field + '`'), std::string::npos) << field;
  }
}

}  // namespace
}  // namespace tollgate::gateway
