#include "gateway/abi/cgi_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace tollgate::gateway::abi {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

class Cgi : public ::testing::Test {
 protected:
  Cgi() {
    request.method_name = "GET";
    request.target = request.path = "/fn/a%20b/c";
    request.authority = "example.org:8080";
    request.host = "example.org";
  }

  void assemble() {
    const CgiFacts facts{request, "/fn/*", prefix, body_bytes, "192.0.2.7", local_address, 8080};
    cgi.assemble(facts, route);
  }
  std::optional<std::string> variable(std::string_view name) const {
    std::optional<std::string> found;
    for (const std::string_view one : cgi.environment()) {
      if (!one.starts_with(std::string(name) + "=")) continue;
      EXPECT_FALSE(found) << name << " is set twice";
      found = one.substr(name.size() + 1);
    }
    return found;
  }

  http::Request request;
  std::string_view prefix = "/fn";
  std::uint64_t body_bytes = 0;
  std::string_view local_address = "127.0.0.1";
  RouteEnvironment route{
      "fn", {{"MODE", "demo"}, {"HTTP_FORCED", "mine"}, {"REQUEST_METHOD", "LIE"}}, {"-v"}};
  CgiRequest cgi;
};

TEST_F(Cgi, sets_every_meta_variable_of_rfc_3875_and_wagi) {
  request.query = "q=1&r=%20";
  request.target = "/fn/a%20b/c?q=1&r=%20";
  assemble();
  EXPECT_EQ(variable("GATEWAY_INTERFACE"), "CGI/1.1");
  EXPECT_EQ(variable("SERVER_SOFTWARE"), "tollgate");
  EXPECT_EQ(variable("SERVER_PROTOCOL"), "HTTP/1.1");
  EXPECT_EQ(variable("SERVER_NAME"), "example.org");
  EXPECT_EQ(variable("SERVER_PORT"), "8080");
  EXPECT_EQ(variable("REQUEST_METHOD"), "GET");
  EXPECT_EQ(variable("SCRIPT_NAME"), "/fn");
  EXPECT_EQ(variable("PATH_INFO"), "/a b/c");
  EXPECT_EQ(variable("PATH_TRANSLATED"), "/a b/c");
  EXPECT_EQ(variable("X_RAW_PATH_INFO"), "/a%20b/c");
  EXPECT_EQ(variable("X_MATCHED_ROUTE"), "/fn/*");
  EXPECT_EQ(variable("X_FULL_URL"), "http://example.org:8080/fn/a%20b/c?q=1&r=%20");
  EXPECT_EQ(variable("QUERY_STRING"), "q=1&r=%20");
  EXPECT_EQ(variable("REMOTE_ADDR"), "192.0.2.7");
  EXPECT_EQ(variable("REMOTE_HOST"), "192.0.2.7");
  EXPECT_EQ(variable("REMOTE_USER"), "");
  EXPECT_EQ(variable("AUTH_TYPE"), "");
  EXPECT_EQ(variable("CONTENT_LENGTH"), std::nullopt);
  EXPECT_EQ(variable("CONTENT_TYPE"), std::nullopt);
  EXPECT_EQ(variable("MODE"), "demo");
}

TEST_F(Cgi, keeps_the_whole_path_of_an_exact_route_as_script_name) {
  prefix = request.path = "/fn";
  assemble();
  EXPECT_EQ(variable("SCRIPT_NAME"), "/fn");
  EXPECT_EQ(variable("PATH_INFO"), "");
  EXPECT_EQ(variable("PATH_TRANSLATED"), std::nullopt);
}

TEST_F(Cgi, sets_content_length_to_what_arrived_if_there_is_a_body) {
  request.method_name = "POST";
  request.fields.add("Content-Type", "text/plain");
  request.fields.add("content-length", "999");
  request.content_length = std::nullopt;  // chunked
  body_bytes = 12;
  assemble();
  EXPECT_EQ(variable("CONTENT_LENGTH"), "12");
  EXPECT_EQ(variable("CONTENT_TYPE"), "text/plain");
  EXPECT_EQ(variable("HTTP_CONTENT_LENGTH"), std::nullopt);
  EXPECT_EQ(variable("HTTP_CONTENT_TYPE"), std::nullopt);
}

TEST_F(Cgi, turns_fields_into_variables_and_joins_repeated_ones) {
  request.fields.add("Accept-Language", "de");
  request.fields.add("Cookie", "a=1");
  request.fields.add("accept-language", "en");
  request.fields.add("Cookie", "b=2");
  assemble();
  EXPECT_EQ(variable("HTTP_ACCEPT_LANGUAGE"), "de, en");
  EXPECT_EQ(variable("HTTP_COOKIE"), "a=1; b=2");
}

TEST_F(Cgi, tells_one_host_when_an_absolute_target_names_another) {
  request.target = "http://example.org:8080/fn/a%20b/c";
  request.fields.add("Host", "other.example");
  assemble();
  EXPECT_EQ(variable("HTTP_HOST"), "example.org:8080");
  EXPECT_EQ(variable("SERVER_NAME"), "example.org");
}

TEST_F(Cgi, never_makes_a_proxy_of_a_field_and_drops_ambiguous_and_connection_names) {
  request.fields.add("Proxy", "http://evil");
  request.fields.add("pRoXy", "http://evil");
  request.fields.add("X_Real_IP", "1.2.3.4");
  request.fields.add("Connection", "close");
  request.fields.add("Transfer-Encoding", "chunked");
  assemble();
  EXPECT_THAT(cgi.environment(), Not(Contains(StartsWith("HTTP_PROXY"))));
  EXPECT_THAT(cgi.environment(), Not(Contains(StartsWith("HTTP_X"))));
  EXPECT_THAT(cgi.environment(), Not(Contains(StartsWith("HTTP_CONNECTION"))));
  EXPECT_THAT(cgi.environment(), Not(Contains(StartsWith("HTTP_TRANSFER"))));
}

TEST_F(Cgi, lets_no_client_set_what_the_route_sets_and_no_route_what_cgi_sets) {
  request.fields.add("Forced", "theirs");
  assemble();
  EXPECT_EQ(variable("HTTP_FORCED"), "mine");
  EXPECT_EQ(variable("REQUEST_METHOD"), "GET");
}

TEST_F(Cgi, gives_the_words_of_an_indexed_query_as_arguments) {
  request.query = "one+t%77o+%2Bthree";
  assemble();
  EXPECT_THAT(cgi.args(), ElementsAre("fn", "-v", "one", "two", "+three"));
  request.query = "a=1+2";
  assemble();
  EXPECT_THAT(cgi.args(), ElementsAre("fn", "-v"));
  request.query = "one";
  request.method = http::Method::post;
  assemble();
  EXPECT_THAT(cgi.args(), ElementsAre("fn", "-v"));
}

TEST_F(Cgi, leaves_bad_escapes_and_nul_as_they_are) {
  request.path = "/fn/%zz%00%4";
  assemble();
  EXPECT_EQ(variable("PATH_INFO"), "/%zz%00%4");
}

TEST_F(Cgi, writes_ipv6_names_in_brackets_and_falls_back_to_the_address) {
  request.host = "::1";
  assemble();
  EXPECT_EQ(variable("SERVER_NAME"), "[::1]");
  request.host = request.authority = "";
  request.version_minor = 0;
  assemble();
  EXPECT_EQ(variable("SERVER_NAME"), "127.0.0.1");
  EXPECT_EQ(variable("SERVER_PROTOCOL"), "HTTP/1.0");
  EXPECT_EQ(variable("X_FULL_URL"), "http://127.0.0.1:8080/fn/a%20b/c");
  local_address = "::1";
  assemble();
  EXPECT_EQ(variable("SERVER_NAME"), "[::1]");
  EXPECT_EQ(variable("X_FULL_URL"), "http://[::1]:8080/fn/a%20b/c");
}

TEST_F(Cgi, keeps_all_views_in_place_for_the_largest_requests) {
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("n" + std::to_string(i));
  const std::string value(600, 'v');
  for (const std::string& name : names) request.fields.add(name, value);
  const std::string words(8000, '+');
  request.query = words;
  assemble();
  for (const std::string& name : names) {
    std::string upper = name;
    upper[0] = 'N';
    EXPECT_EQ(variable("HTTP_" + upper), value);
  }
  EXPECT_EQ(cgi.args().size(), 2u + 8001u);
}

}  // namespace
}  // namespace tollgate::gateway::abi
