#include "gateway/routing/route_table.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::gateway {
namespace {

using Kind = RouteTable::Match::Kind;

class Routes : public ::testing::Test {
 protected:
  void add(std::string path, std::string host = {}, std::vector<std::string> methods = {}) {
    Route route;
    route.path = std::move(path);
    route.host = std::move(host);
    route.methods = std::move(methods);
    routes_.push_back(std::move(route));
  }

  static http::Request request(std::string_view path, std::string_view method, std::string_view host) {
    static constexpr std::pair<std::string_view, http::Method> methods[] = {
        {"GET", http::Method::get},        {"HEAD", http::Method::head},
        {"POST", http::Method::post},      {"OPTIONS", http::Method::options},
        {"DELETE", http::Method::delete_}, {"TRACE", http::Method::trace}};
    http::Request made;
    made.method = http::Method::other;
    for (const auto& [name, known] : methods) made.method = name == method ? known : made.method;
    made.method_name = method;
    made.path = path;
    made.host = host;
    return made;
  }

  RouteTable::Match find(std::string_view path, std::string_view method = "GET",
                         std::string_view host = "a.example") {
    return RouteTable(routes_).find(request(path, method, host));
  }
  // The index of the route found, or -1.
  int found(std::string_view path, std::string_view method = "GET", std::string_view host = "a.example") {
    const auto match = find(path, method, host);
    return match.kind == Kind::found ? static_cast<int>(match.route) : -1;
  }
  std::string allow(std::string_view path, std::string_view host = "a.example") {
    return RouteTable(routes_).allowed_methods(request(path, "GET", host));
  }

  std::vector<Route> routes_;
};

struct Precedence {
  std::string name;
  std::vector<std::string> routes;
  std::vector<std::pair<std::string, int>> found;  // path asked for, index of its route
};

class PathPrecedence : public Routes, public ::testing::WithParamInterface<Precedence> {};

TEST_P(PathPrecedence, decides_which_route_takes_a_path) {
  for (const std::string& path : GetParam().routes) add(path);
  for (const auto& [path, route] : GetParam().found) EXPECT_EQ(found(path), route) << path;
}

INSTANTIATE_TEST_SUITE_P(
    Of, PathPrecedence,
    ::testing::Values(
        Precedence{
            "an_exact_path_over_any_prefix",
            {"/*", "/hello", "/hello/*"},
            {{"/hello", 1}, {"/hello/", 2}, {"/hello/x", 2}, {"/other", 0}, {"/hell", 0}, {"/hello2", 0}}},
        Precedence{
            "the_longest_prefix",
            {"/*", "/a/*", "/a/b/*"},
            {{"/a/b/c", 2}, {"/a/b/", 2}, {"/a/b", 1}, {"/a/bb/c", 1}, {"/a/", 1}, {"/a", 0}, {"/", 0}}},
        Precedence{"a_prefix_not_for_the_path_itself",
                   {"/api/*"},
                   {{"/api/", 0}, {"/api/x/y/z", 0}, {"/api", -1}, {"/apis", -1}, {"/", -1}}},
        Precedence{"the_root_as_an_exact_path", {"/"}, {{"/", 0}, {"/x", -1}}}),
    [](const auto& precedence) { return precedence.param.name; });

TEST_F(Routes, matched_prefix_is_the_path_without_the_star_segment) {
  add("/*");
  add("/api/v1/*");
  add("/exact");
  EXPECT_EQ(find("/api/v1/x/y").matched_prefix, "/api/v1");
  EXPECT_EQ(find("/exact").matched_prefix, "/exact");
  EXPECT_EQ(find("/else").matched_prefix, "");
}

TEST_F(Routes, exact_host_before_longer_wildcard_before_any) {
  add("/x");
  add("/x", "*.example.org");
  add("/x", "*.a.example.org");
  add("/x", "b.a.example.org");
  EXPECT_EQ(found("/x", "GET", "b.a.example.org"), 3);
  EXPECT_EQ(found("/x", "GET", "B.A.Example.ORG"), 3);
  EXPECT_EQ(found("/x", "GET", "b.a.example.org."), 3);
  EXPECT_EQ(found("/x", "GET", "c.a.example.org"), 2);
  EXPECT_EQ(found("/x", "GET", "a.example.org"), 1);
  EXPECT_EQ(found("/x", "GET", "example.org"), 0);
  EXPECT_EQ(found("/x", "GET", "notexample.org"), 0);
}

TEST_F(Routes, host_that_does_not_match_leaves_the_path_to_shorter_prefixes) {
  add("/x", "a.example");
  add("/*");
  EXPECT_EQ(found("/x", "GET", "a.example"), 0);
  EXPECT_EQ(found("/x", "GET", "b.example"), 1);
}

TEST_F(Routes, path_decides_before_host) {
  add("/*", "a.example");
  add("/x");
  EXPECT_EQ(found("/x", "GET", "a.example"), 1);
}

TEST_F(Routes, named_method_before_any_method) {
  add("/x");
  add("/x", "", {"POST"});
  EXPECT_EQ(found("/x", "POST"), 1);
  EXPECT_EQ(found("/x", "GET"), 0);
}

TEST_F(Routes, host_decides_before_method) {
  add("/x", "", {"GET"});
  add("/x", "a.example");
  EXPECT_EQ(found("/x", "GET", "a.example"), 1);
  EXPECT_EQ(found("/x", "GET", "b.example"), 0);
}

TEST_F(Routes, known_path_with_a_wrong_method_is_not_given_to_a_shorter_prefix) {
  add("/*");
  add("/x", "", {"POST"});
  EXPECT_EQ(find("/x", "GET").kind, Kind::method_not_allowed);
  EXPECT_EQ(allow("/x"), "POST, OPTIONS");
}

TEST_F(Routes, wrong_method_for_this_host_falls_to_any_host_of_the_same_path) {
  add("/x", "a.example", {"GET"});
  add("/x", "", {"POST"});
  EXPECT_EQ(found("/x", "POST", "a.example"), 1);
  EXPECT_EQ(find("/x", "GET", "b.example").kind, Kind::method_not_allowed);
  EXPECT_EQ(allow("/x", "b.example"), "POST, OPTIONS");
  EXPECT_EQ(allow("/x", "a.example"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(Routes, head_is_taken_by_get_unless_named) {
  add("/x", "", {"GET"});
  EXPECT_EQ(found("/x", "HEAD"), 0);
  add("/x", "", {"HEAD"});
  EXPECT_EQ(found("/x", "HEAD"), 1);
  EXPECT_EQ(found("/x", "GET"), 0);
}

TEST_F(Routes, methods_beyond_the_common_ones_are_compared_by_name) {
  add("/x", "", {"PROPFIND", "GET"});
  EXPECT_EQ(found("/x", "PROPFIND"), 0);
  EXPECT_EQ(find("/x", "MKCOL").kind, Kind::method_not_allowed);
  EXPECT_EQ(allow("/x"), "GET, HEAD, OPTIONS, PROPFIND");
}

TEST_F(Routes, trace_is_taken_only_where_it_is_named) {
  add("/*");
  EXPECT_EQ(find("/x", "TRACE").kind, Kind::method_not_allowed);
  EXPECT_EQ(allow("/x"), "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
  EXPECT_EQ(found("/x", "PROPFIND"), 0);
  add("/x", "", {"TRACE"});
  EXPECT_EQ(found("/x", "TRACE"), 1);
  EXPECT_EQ(find("/x", "GET").kind, Kind::method_not_allowed);
  EXPECT_EQ(allow("/x"), "OPTIONS, TRACE");
}

TEST_F(Routes, escaping_does_not_lead_to_another_route) {
  add("/*");
  add("/admin/*");
  add("/caf%C3%A9");
  EXPECT_EQ(found("/%61dmin/x"), 1);
  EXPECT_EQ(found("/admi%6E/"), 1);
  EXPECT_EQ(found("/admi%6e/"), 1);
  EXPECT_EQ(find("/%61dmin/x/y").matched_prefix, "/%61dmin");
  EXPECT_EQ(find("/%61dmin/%78").matched_prefix, "/%61dmin");
  EXPECT_EQ(found("/caf%c3%a9"), 2);
  EXPECT_EQ(find("/caf%c3%a9").matched_prefix, "/caf%c3%a9");
  EXPECT_EQ(found("/%2561dmin/x"), 0);
  EXPECT_EQ(found("/admin%20/x"), 0);
  EXPECT_EQ(allow("/%61dmin/x"), allow("/admin/x"));
}

TEST_F(Routes, nothing_is_found_in_an_empty_table_or_for_an_asterisk) {
  EXPECT_EQ(find("/").kind, Kind::not_found);
  add("/*");
  EXPECT_EQ(find("*", "OPTIONS").kind, Kind::not_found);
  EXPECT_EQ(find("").kind, Kind::not_found);
  EXPECT_EQ(allow("*"), "");
}

TEST_F(Routes, every_route_of_a_large_table_is_found) {
  for (int i = 0; i < 2000; ++i) {
    add("/group" + std::to_string(i % 40) + "/item" + std::to_string(i));
    add("/group" + std::to_string(i % 40) + "/item" + std::to_string(i) + "/*");
  }
  const RouteTable table(routes_);
  for (int i = 0; i < 2000; ++i) {
    const std::string path = "/group" + std::to_string(i % 40) + "/item" + std::to_string(i);
    EXPECT_EQ(table.find(request(path, "GET", "h")).route, static_cast<std::uint32_t>(2 * i));
    const std::string below = path + "/deep/er";
    EXPECT_EQ(table.find(request(below, "GET", "h")).route, static_cast<std::uint32_t>(2 * i + 1));
  }
}

}  // namespace
}  // namespace tollgate::gateway
