// What a CGI guest is told of its request, and what its output becomes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

// One gateway for all: each test only asks.
class CgiGuest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    gateway_ = new GatewayProcess(GatewayProcess::with_config(
        one_worker +
            wasm_route("/fn/*", "hello_cgi_c",
                       "env = { MODE = \"demo\", REGION = \"${REGION:-eu}\" }\nargs = [\"-v\"]") +
            wasm_route("/exact", "hello_cgi_c") + wasm_route("/echo", "echo_c"),
        {.environment = {{"REGION", "us"}}}));
  }
  static void TearDownTestSuite() { delete gateway_; }

  static std::uint16_t port() { return gateway_->port(); }
  // The guest's own words, through a guest that writes its input.
  static Response said(const std::string& output) { return request(port(), "POST", "/echo", output); }
  static bool tells(const Response& response, const std::string& line) {
    return ("\n" + response.body).find("\n" + line + "\n") != std::string::npos;
  }

  static GatewayProcess* gateway_;
};
GatewayProcess* CgiGuest::gateway_ = nullptr;

TEST_F(CgiGuest, sees_its_request_as_rfc_3875_and_wagi_say) {
  const Response seen =
      request(port(), "POST", "/fn/a%20b/c?q=1&r", "the body",
              {{"Content-Type", "text/x"}, {"X-Two", "1"}, {"x-two", "2"}, {"Host", "h.example:81"}});
  ASSERT_EQ(seen.status, 200);
  for (const char* line :
       {"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.1", "REQUEST_METHOD=POST", "SCRIPT_NAME=/fn",
        "PATH_INFO=/a b/c", "X_RAW_PATH_INFO=/a%20b/c", "X_MATCHED_ROUTE=/fn/*", "QUERY_STRING=q=1&r",
        "CONTENT_TYPE=text/x", "CONTENT_LENGTH=8", "REMOTE_ADDR=127.0.0.1", "HTTP_X_TWO=1, 2", "MODE=demo",
        "REGION=us", "argument 1: -v", "AUTH_TYPE=", "REMOTE_USER="}) {
    EXPECT_TRUE(tells(seen, line)) << line << "\n" << seen.body;
  }
  EXPECT_TRUE(tells(seen, "SERVER_PORT=" + std::to_string(port())));
  EXPECT_TRUE(seen.body.ends_with("\nthe body")) << seen.body;
}

TEST_F(CgiGuest, sees_the_whole_path_of_an_exact_route_as_script_name) {
  const Response seen = get(port(), "/exact");
  EXPECT_TRUE(tells(seen, "SCRIPT_NAME=/exact"));
  EXPECT_TRUE(tells(seen, "PATH_INFO="));
  EXPECT_EQ(seen.body.find("CONTENT_LENGTH"), std::string::npos);
}

TEST_F(CgiGuest, never_gets_http_proxy_nor_names_with_underscores) {
  const Response seen = get(port(), "/fn/", {{"Proxy", "http://evil"}, {"X_Forged", "1"}});
  ASSERT_EQ(seen.status, 200);
  EXPECT_EQ(seen.body.find("HTTP_PROXY"), std::string::npos);
  EXPECT_EQ(seen.body.find("FORGED"), std::string::npos);
}

TEST_F(CgiGuest, gets_the_words_of_an_indexed_query_as_arguments) {
  const Response seen = get(port(), "/fn/?one+t%77o");
  EXPECT_TRUE(tells(seen, "argument 2: one"));
  EXPECT_TRUE(tells(seen, "argument 3: two"));
  EXPECT_EQ(get(port(), "/fn/?a=one+two").body.find("argument 2"), std::string::npos);
}

TEST_F(CgiGuest, sets_status_and_fields_but_no_framing) {
  const Response answer = said(
      "Status: 404 Not Found\r\nX-Own: yes\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
      "Connection: close\r\nx-tollgate-error: forged\r\n\r\nmissing");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.field("x-own"), "yes");
  EXPECT_EQ(answer.field("content-length"), "7");
  EXPECT_EQ(answer.field("transfer-encoding"), std::nullopt);
  EXPECT_EQ(answer.field("x-tollgate-error"), std::nullopt);
  EXPECT_EQ(answer.body, "missing");
}

TEST_F(CgiGuest, redirects_by_location) {
  const Response plain = said("Location: /elsewhere\n\n");
  EXPECT_EQ(plain.status, 302);
  EXPECT_EQ(plain.field("location"), "/elsewhere");
  EXPECT_EQ(said("Status: 308\nLocation: https://example.org/\n\n").status, 308);
}

TEST_F(CgiGuest, without_a_head_is_told_about_stdio) {
  for (const char* output : {"", "just text", "<html>\n<body>\n\n"}) {
    const Response answer = said(output);
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.field("x-tollgate-error"), "response");
    EXPECT_NE(answer.body.find("abi = \"stdio\""), std::string::npos) << answer.body;
  }
}

TEST_F(CgiGuest, with_a_malformed_head_is_a_502) {
  for (const char* output : {"A: b\nno colon\n\n", "A: b\n folded\n\n", "A: b\rC: d\n\n", "Status: 99\n\n",
                             "Status: 200\nStatus: 200\n\n", "A: b\n"}) {
    const Response answer = said(output);
    EXPECT_EQ(answer.status, 502) << output;
    EXPECT_EQ(answer.field("x-tollgate-error"), "response") << output;
  }
}

}  // namespace
}  // namespace tollgate::testing
