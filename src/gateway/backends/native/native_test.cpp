#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/backends/native/compute.hpp"
#include "gateway/backends/native/echo.hpp"
#include "gateway/backends/native/fixed.hpp"
#include "gateway/backends/native/json.hpp"
#include "gateway/backends/native/state.hpp"
#include "gateway/reasons.hpp"
#include "gateway/testing/fake_exchange.hpp"

namespace tollgate::gateway {
namespace {

using testing::FakeBody;
using testing::FakeExchange;

class Native : public ::testing::Test {
 protected:
  // Lets a backend answer; gives the reason it left, if any.
  const http::Reason* serve(Backend& backend, FakeExchange& fake) {
    RequestContext context{.exchange = fake.exchange, .route = route_};
    testing::run(loop_, backend.serve(context));
    detail_ = context.detail;
    return context.reason;
  }

  EventLoop loop_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  Route route_;
  std::string detail_;
};

TEST_F(Native, hello_and_health_are_fixed_responses) {
  const auto hello = make_hello(route_);
  ASSERT_NE(hello->fixed_response(), nullptr);
  EXPECT_EQ(hello->fixed_response()->body, "hello");
  EXPECT_EQ(hello->fixed_response()->head.status, 200);
  EXPECT_EQ(make_health(route_)->fixed_response()->body, "OK");
}

TEST_F(Native, fixed_answers_let_the_route_name_the_content_type) {
  FixedBackend plain(200, "x", route_);
  EXPECT_EQ(plain.fixed_response()->head.fields.front().value, "text/plain; charset=utf-8");
  route_.headers = {{"content-TYPE", "text/html"}};
  FixedBackend html(200, "x", route_);
  EXPECT_TRUE(html.fixed_response()->head.fields.empty());
  FixedBackend empty(204, "", route_);
  EXPECT_TRUE(empty.fixed_response()->head.fields.empty());
}

// From the study's definition, computed with Python's hashlib.
TEST_F(Native, compute_chains_sha256_rounds) {
  const std::pair<std::string_view, std::string_view> digests[] = {
      {"/compute?iters=0", "0000000000000000000000000000000000000000000000000000000000000000"},
      {"/compute?iters=1", "2c34ce1df23b838c5abf2a7f6437cca3d3067ed509ff25f11df6b11b582b51eb"},
      {"/compute?iters=20000", "c0d623fbdeee9055d9dbf8abe154544e7d74fc8964bebce78c6fc18175233c51"},
      {"/compute?x=1&iters=20000&iters=7",
       "c0d623fbdeee9055d9dbf8abe154544e7d74fc8964bebce78c6fc18175233c51"},
      {"/compute", "ac7ae76edac186bf64af6d07dfc7e0cf3df742bba5470882b2c695a23924a887"},
      {"/compute?iter=1", "ac7ae76edac186bf64af6d07dfc7e0cf3df742bba5470882b2c695a23924a887"},
  };
  ComputeBackend compute(route_, loop_.get_executor());
  for (const auto& [target, digest] : digests) {
    FakeExchange fake("GET", target);
    EXPECT_EQ(serve(compute, fake), nullptr);
    EXPECT_EQ(fake.response.body, digest) << target;
    EXPECT_EQ(fake.response.status(), 200);
  }
}

TEST_F(Native, compute_refuses_counts_that_are_no_number_or_too_large) {
  ComputeBackend compute(route_, loop_.get_executor());
  for (const std::string_view target :
       {"/compute?iters=", "/compute?iters=-1", "/compute?iters=+1", "/compute?iters=1e3",
        "/compute?iters=10000001", "/compute?iters=99999999999999999999999", "/compute?iters=%31",
        "/compute?iters=1.5", "/compute?iters= 1"}) {
    FakeExchange fake("GET", target);
    EXPECT_EQ(serve(compute, fake), &reasons::bad_parameter) << target;
    EXPECT_FALSE(fake.response.started());
    EXPECT_THAT(detail_, ::testing::HasSubstr("from 0 to 10000000"));
  }
  EXPECT_EQ(rounds_of("iters=10000000"), 10'000'000u);
}

TEST_F(Native, compute_lets_the_loop_turn_and_ends_when_nobody_waits) {
  ComputeBackend compute(route_, loop_.get_executor());
  FakeExchange fake("GET", "/compute?iters=10000000");
  int turns = 0;
  RequestContext context{.exchange = fake.exchange, .route = route_};
  asio::co_spawn(loop_, compute.serve(context), asio::detached);
  while (!loop_.stopped() && loop_.poll_one() > 0) {
    if (++turns == 20) fake.cancellation.cancel(reasons::deadline);
  }
  EXPECT_GE(turns, 20);
  EXPECT_LE(turns, 25);
  EXPECT_FALSE(fake.response.started());
}

TEST_F(Native, state_tells_the_value_before_the_increment) {
  std::atomic<std::uint64_t> counter{0};
  StateBackend state(route_, counter);
  for (const std::string_view value : {"0", "1", "2"}) {
    FakeExchange fake("GET", "/state");
    EXPECT_EQ(serve(state, fake), nullptr);
    EXPECT_EQ(fake.response.body, value);
  }
  counter = UINT64_MAX;
  FakeExchange fake("GET", "/state");
  serve(state, fake);
  EXPECT_EQ(fake.response.body, "18446744073709551615");
}

TEST_F(Native, echo_answers_a_buffered_body_at_once) {
  EchoBackend echo(route_);
  FakeExchange fake("POST", "/");
  fake.body.set({"payload"}, FakeBody::Arrival::at_once);
  EXPECT_EQ(serve(echo, fake), nullptr);
  EXPECT_EQ(fake.response.body, "echo: payload");
  FakeExchange empty("DELETE", "/any/path");
  serve(echo, empty);
  EXPECT_EQ(empty.response.body, "echo: ");
}

TEST_F(Native, echo_streams_a_body_that_is_still_arriving) {
  EchoBackend echo(route_);
  FakeExchange fake("POST", "/");
  fake.request.content_length = 6;
  fake.body.set({"ab", "cd", "ef"}, FakeBody::Arrival::in_pieces);
  EXPECT_EQ(serve(echo, fake), nullptr);
  EXPECT_EQ(fake.response.body, "echo: abcdef");
  EXPECT_EQ(fake.response.length, 12u);
  EXPECT_EQ(fake.response.writes, 4);
  EXPECT_TRUE(fake.response.finished);

  FakeExchange chunked("POST", "/");
  chunked.request.content_length = std::nullopt;
  chunked.body.set({"ab"}, FakeBody::Arrival::in_pieces);
  serve(echo, chunked);
  EXPECT_EQ(chunked.response.length, std::nullopt);
}

TEST_F(Native, echo_cuts_its_answer_when_the_body_breaks_off) {
  EchoBackend echo(route_);
  FakeExchange fake("POST", "/");
  fake.body.set({"ab"}, FakeBody::Arrival::in_pieces);
  fake.body.fail_at_end(http::reasons::request_timeout);
  EXPECT_EQ(serve(echo, fake), &http::reasons::request_timeout);
  EXPECT_TRUE(fake.response.aborted);
  EXPECT_FALSE(fake.response.finished);

  FakeExchange early("POST", "/");
  early.body.set({}, FakeBody::Arrival::in_pieces);
  early.body.fail_at_end(http::reasons::body_too_large);
  EXPECT_EQ(serve(echo, early), &http::reasons::body_too_large);
  EXPECT_FALSE(early.response.started());
}

TEST_F(Native, json_adds_its_members_at_the_end) {
  JsonBackend backend(route_);
  FakeExchange fake("POST", "/json");
  fake.body.set({"{\"b\": 1,", " \"a\": [1.50, -2, \"x\"] }"}, FakeBody::Arrival::in_pieces);
  EXPECT_EQ(serve(backend, fake), nullptr);
  EXPECT_EQ(fake.response.body, R"({"b":1,"a":[1.50,-2,"x"],"tollgate":true,"count":2})");
  EXPECT_EQ(fake.response.field("content-type"), "application/json");
}

TEST_F(Native, json_refuses_a_body_that_is_no_object) {
  JsonBackend backend(route_);
  FakeExchange fake("POST", "/json");
  fake.body.set({"[]"}, FakeBody::Arrival::at_once);
  EXPECT_EQ(serve(backend, fake), &reasons::bad_document);
  EXPECT_EQ(detail_, "It is not a JSON object.");
}

TEST(JsonTransform, keeps_order_numbers_and_text) {
  const std::pair<std::string_view, std::string_view> documents[] = {
      {"{}", R"({"tollgate":true,"count":0})"},
      {R"({"z":null,"a":true,"m":false})", R"({"z":null,"a":true,"m":false,"tollgate":true,"count":3})"},
      {R"({"n":[0.1,1e5,18446744073709551615,-9223372036854775808]})",
       R"({"n":[0.1,1e5,18446744073709551615,-9223372036854775808],"tollgate":true,"count":1})"},
      {R"({"s":"a\"b\\c\/\n\u0001\u00fc"})",
       "{\"s\":\"a\\\"b\\\\c/\\u000a\\u0001ü\",\"tollgate\":true,\"count\":1}"},
      {R"({"o":{"count":1,"tollgate":{}},"e":[],"f":{}})",
       R"({"o":{"count":1,"tollgate":{}},"e":[],"f":{},"tollgate":true,"count":3})"},
      {R"({"count":{"deep":[1,{"x":2}]},"a":1,"tollgate":"no"})", R"({"a":1,"tollgate":true,"count":3})"},
  };
  for (const auto& [document, transformed] : documents) {
    const auto result = transform_json(document);
    ASSERT_TRUE(result) << document << ": " << result.error();
    EXPECT_EQ(*result, transformed);
  }
}

TEST(JsonTransform, refuses_what_is_not_one_json_object) {
  for (const std::string_view document :
       {"", " ", "1", "\"x\"", "null", "[1]", "{", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x", "{'a':1}",
        "{\"a\":01}", "{\"a\":\"\xff\"}", "{\"a\":1e999}"}) {
    EXPECT_FALSE(transform_json(document)) << document;
  }
}

TEST(JsonTransform, bounds_nesting) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(transform_json(nested(511)));
  EXPECT_FALSE(transform_json(nested(512)));
  EXPECT_FALSE(transform_json("{\"a\":" + std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace tollgate::gateway
