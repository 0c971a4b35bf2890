// The route table as clients meet it: which route answers, and what happens when none does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

using ::testing::HasSubstr;

std::string respond(const std::string& path, const std::string& body, const std::string& more = {}) {
  return "[[route]]\npath = \"" + path + "\"\nrespond = { body = \"" + body + "\" }\n" + more + "\n";
}

GatewayProcess serve(const std::string& routes) {
  return GatewayProcess::with_config("listen = \"127.0.0.1:0\"\nworkers = 1\n" + routes);
}

std::string body_for_host(std::uint16_t port, const std::string& target, const std::string& host) {
  return get(port, target, {{"Host", host}}).body;
}

TEST(Routes, exact_before_longest_prefix_before_shorter) {
  const auto gateway = serve(respond("/*", "all") + respond("/api/*", "api") + respond("/api/v1/*", "v1") +
                             respond("/api/v1/exact", "exact"));
  const std::pair<const char*, const char*> cases[] = {{"/", "all"},
                                                       {"/api", "all"},
                                                       {"/apis", "all"},
                                                       {"/api/", "api"},
                                                       {"/api/x", "api"},
                                                       {"/api/v1", "api"},
                                                       {"/api/v1/", "v1"},
                                                       {"/api/v1/exac", "v1"},
                                                       {"/api/v1/exact/", "v1"},
                                                       {"/api/v1/exact", "exact"},
                                                       {"/api/v1/exact?q=/x", "exact"},
                                                       {"/api?x=/api/v1/", "all"}};
  for (const auto& [target, body] : cases) EXPECT_EQ(get(gateway.port(), target).body, body) << target;
}

TEST(Routes, exact_host_before_wildcard_before_any) {
  const auto gateway = serve(respond("/*", "any") + respond("/*", "wild", "host = \"*.example.org\"") +
                             respond("/*", "exact", "host = \"a.example.org\""));
  const std::uint16_t port = gateway.port();
  EXPECT_EQ(body_for_host(port, "/", "a.example.org"), "exact");
  EXPECT_EQ(body_for_host(port, "/", "A.Example.Org:8080"), "exact");
  EXPECT_EQ(body_for_host(port, "/", "b.example.org"), "wild");
  EXPECT_EQ(body_for_host(port, "/", "x.y.example.org"), "wild");
  EXPECT_EQ(body_for_host(port, "/", "example.org"), "any");
  EXPECT_EQ(body_for_host(port, "/", "aexample.org"), "any");
}

TEST(Routes, method_decides_last_and_a_wrong_one_is_405_with_allow) {
  const auto gateway = serve(respond("/*", "all") + respond("/x", "get", "method = \"GET\"") +
                             respond("/x", "put", "methods = [\"PUT\", \"POST\"]"));
  const std::uint16_t port = gateway.port();
  EXPECT_EQ(request(port, "GET", "/x").body, "get");
  EXPECT_EQ(request(port, "POST", "/x", "b").body, "put");
  const Response wrong = request(port, "DELETE", "/x");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.field("allow"), "GET, HEAD, POST, PUT, OPTIONS");
  EXPECT_EQ(wrong.field("x-tollgate-error"), "method");
  EXPECT_TRUE(wrong.field("x-request-id"));
}

TEST(Routes, trace_and_connect_reach_no_handler) {
  const auto gateway =
      serve("[[route]]\npath = \"/native\"\nnative = \"echo\"\n" +
            std::string("[[route]]\npath = \"/spawn\"\nspawn = [\"cat\"]\nabi = \"stdio\"\n") +
            "[[route]]\npath = \"/proxy\"\nupstream = \"http://127.0.0.1:9\"\n" + respond("/fixed", "fixed"));
  for (const char* path : {"/native", "/spawn", "/proxy", "/fixed"}) {
    const Response refused = request(gateway.port(), "TRACE", path);
    EXPECT_EQ(refused.status, 405) << path;
    EXPECT_EQ(refused.field("allow"), "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH") << path;
  }
  EXPECT_EQ(request(gateway.port(), "TRACE", "/none").status, 404);
  EXPECT_EQ(request(gateway.port(), "CONNECT", "a.example:443").status, 501);
}

TEST(Routes, options_is_answered_for_known_paths_and_the_server) {
  const auto gateway = serve(respond("/x", "get", "method = \"GET\"") + respond("/any", "any"));
  const Response known = request(gateway.port(), "OPTIONS", "/x");
  EXPECT_EQ(known.status, 204);
  EXPECT_EQ(known.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(request(gateway.port(), "OPTIONS", "*").status, 204);
  EXPECT_EQ(request(gateway.port(), "OPTIONS", "/any").body, "any");
  EXPECT_EQ(request(gateway.port(), "OPTIONS", "/unknown").status, 404);
}

TEST(Routes, head_has_the_fields_of_get_and_no_body) {
  const auto gateway = serve(respond("/x", "12345", "method = \"GET\""));
  Connection connection(gateway.port());
  connection.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const Response head = connection.read_response(Connection::Body::none);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("content-length"), "5");
  EXPECT_EQ(connection.read_response().body, "12345");
}

TEST(Routes, unknown_path_is_404_with_reason_and_id) {
  const auto gateway = serve(respond("/x", "x"));
  const Response response = get(gateway.port(), "/y", {{"x-request-id", "mine-1.2_3"}});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.field("x-tollgate-error"), "not_found");
  EXPECT_EQ(response.field("x-request-id"), "mine-1.2_3");
  EXPECT_THAT(response.body, HasSubstr("No route"));
}

TEST(Routes, headers_are_on_every_response_of_a_route_errors_included) {
  const auto gateway =
      serve("[[route]]\npath = \"/compute\"\nnative = \"compute\"\nheaders = { \"X-A\" = \"1\" }\n");
  EXPECT_EQ(get(gateway.port(), "/compute?iters=1").field("x-a"), "1");
  const Response bad = get(gateway.port(), "/compute?iters=x");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.field("x-tollgate-error"), "parameter");
  EXPECT_EQ(bad.field("x-a"), "1");
}

TEST(Routes, body_limit_holds_below_at_and_above_declared_or_not) {
  const auto gateway = serve("[[route]]\npath = \"/*\"\nnative = \"echo\"\nlimits = { body = \"1KiB\" }\n");
  const std::uint16_t port = gateway.port();
  for (const std::size_t bytes : {std::size_t{1023}, std::size_t{1024}, std::size_t{1025}}) {
    const std::string body(bytes, 'x');
    const Response declared = request(port, "POST", "/", body);
    EXPECT_EQ(declared.status, bytes <= 1024 ? 200 : 413) << bytes;

    Connection chunked(port);
    char size[16];
    std::snprintf(size, sizeof size, "%zx", bytes);
    chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(size) +
                 "\r\n" + body + "\r\n0\r\n\r\n");
    const Response undeclared = chunked.read_response();
    EXPECT_EQ(undeclared.status, bytes <= 1024 ? 200 : 413) << bytes;
    if (bytes > 1024) {
      EXPECT_EQ(undeclared.field("x-tollgate-error"), "body");
    }
  }
}

TEST(Routes, deadline_ends_a_long_answer_and_spares_others_meanwhile) {
  const auto gateway =
      serve(respond("/quick", "quick") +
            "[[route]]\npath = \"/compute\"\nnative = \"compute\"\nlimits = { deadline = \"300ms\" }\n");
  Connection slow(gateway.port());
  const auto begun = std::chrono::steady_clock::now();
  slow.send("GET /compute?iters=10000000 HTTP/1.1\r\nHost: a\r\n\r\n");
  Connection quick(gateway.port());
  int answered = 0;
  while (std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(200)) {
    quick.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(quick.read_response().body, "quick");
    ++answered;
  }
  EXPECT_GE(answered, 10);
  const Response late = slow.read_response();
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(late.field("x-tollgate-error"), "deadline");
}

TEST(NativeHandlers, answer_as_documented) {
  const auto gateway = serve(
      "[[route]]\npath = \"/json\"\nnative = \"json\"\n[[route]]\npath = \"/echo\"\nnative = \"echo\"\n"
      "[[route]]\npath = \"/health\"\nnative = \"health\"\n[[route]]\npath = \"/compute\"\nnative = "
      "\"compute\"\n");
  const std::uint16_t port = gateway.port();
  EXPECT_EQ(request(port, "POST", "/json", R"({ "b" : [1, 2.50], "a": "x" })").body,
            R"({"b":[1,2.50],"a":"x","tollgate":true,"count":2})");
  const Response bad = request(port, "POST", "/json", "[1]");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.field("x-tollgate-error"), "document");
  EXPECT_EQ(request(port, "PATCH", "/echo", "abc").body, "echo: abc");
  EXPECT_EQ(get(port, "/health").body, "OK");
  EXPECT_EQ(get(port, "/compute?iters=0").body, std::string(64, '0'));
}

}  // namespace
}  // namespace tollgate::testing
