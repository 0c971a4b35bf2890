#include "gateway/routing/dispatcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <stdexcept>

#include "gateway/config/config_reader.hpp"
#include "gateway/reasons.hpp"
#include "gateway/testing/fake_exchange.hpp"
#include "gateway/testing/quiet_observer.hpp"

namespace tollgate::gateway {
namespace {

using testing::FakeBody;
using testing::FakeExchange;

// Keeps a copy of what it is told.
class KeptRecords final : public testing::QuietObserver {
 public:
  struct Kept {
    std::uint32_t slot;
    std::string route_name, request_id, detail;
    int status;
    const http::Reason* reason;
    std::uint64_t request_bytes, response_bytes;
    std::chrono::nanoseconds total, handled;
  };
  void ended(const RequestRecord& record) override {
    kept.push_back({record.slot, std::string(record.route_name), std::string(record.request_id),
                    std::string(record.detail), record.status, record.reason, record.request_bytes,
                    record.response_bytes, record.total, record.handled});
  }
  void refused(const http::Reason& reason, std::string_view) override { refusals.push_back(&reason); }

  std::vector<Kept> kept;
  std::vector<const http::Reason*> refusals;
};

class Dispatching : public ::testing::Test {
 protected:
  Dispatching()
      : counts_(std::make_unique<SharedCounts>()),
        mark_(std::make_unique<WorkerMark>()),
        services_{loop_.get_executor(), wheel_, *counts_, *mark_, records_, upstreams_} {}

  TableLease load(std::string_view toml) {
    auto config = read_config(toml, "/t.toml", process_environment(), NamedFiles::not_looked_at);
    EXPECT_TRUE(config) << config.error().front().message();
    for (std::uint32_t i = 0; i < config->routes.size(); ++i) config->routes[i].slot = i + 10;
    auto table = LoadedTable::load(*std::move(config), {}, services_);
    EXPECT_TRUE(table) << table.error();
    return *table;
  }
  void dispatch(Dispatcher& dispatcher, FakeExchange& fake) {
    testing::run(loop_, dispatcher.handle(fake.exchange));
  }
  // A request without a body, dispatched.
  std::unique_ptr<FakeExchange> ask(Dispatcher& dispatcher, std::string_view method,
                                    std::string_view target) {
    auto fake = std::make_unique<FakeExchange>(method, target);
    dispatch(dispatcher, *fake);
    return fake;
  }

  EventLoop loop_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  TimerWheel wheel_{loop_};
  std::unique_ptr<SharedCounts> counts_;
  std::unique_ptr<WorkerMark> mark_;
  KeptRecords records_;
  UpstreamAddresses upstreams_{loop_.get_executor(), wheel_};
  WorkerServices services_;
};

constexpr std::string_view table = R"(
[[route]]
path = "/hello"
method = "GET"
native = "hello"
headers = { "X-Gateway-Variant" = "native" }
[[route]]
path = "/echo"
native = "echo"
limits = { body = 4 }
[[route]]
path = "/compute"
native = "compute"
limits = { deadline = "20ms" }
)";

TEST_F(Dispatching, a_route_answers_with_its_headers_and_is_recorded) {
  Dispatcher dispatcher(services_, load(table));
  const auto fake = ask(dispatcher, "GET", "/hello?x=1");
  EXPECT_EQ(fake->response.status(), 200);
  EXPECT_EQ(fake->response.body, "hello");
  ASSERT_EQ(fake->exchange.extra_fields.size(), 1u);
  EXPECT_EQ(fake->exchange.extra_fields[0].name, "X-Gateway-Variant");
  ASSERT_EQ(records_.kept.size(), 1u);
  const auto& kept = records_.kept.front();
  EXPECT_EQ(kept.slot, 10u);
  EXPECT_EQ(kept.route_name, "/hello GET");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.reason, nullptr);
  EXPECT_EQ(kept.response_bytes, 5u);
  EXPECT_EQ(kept.request_id, "id-of-this-exchange");
  EXPECT_GT(kept.total.count(), 0);
}

TEST_F(Dispatching, unknown_path_and_wrong_method_are_told_apart) {
  Dispatcher dispatcher(services_, load(table));
  const auto unknown = ask(dispatcher, "GET", "/nothing");
  EXPECT_EQ(unknown->response.status(), 404);
  EXPECT_EQ(unknown->response.field("x-tollgate-error"), "not_found");
  EXPECT_EQ(records_.kept.back().slot, RequestRecord::no_route);
  EXPECT_EQ(records_.kept.back().reason, &reasons::not_found);

  const auto wrong = ask(dispatcher, "POST", "/hello");
  EXPECT_EQ(wrong->response.status(), 405);
  EXPECT_EQ(wrong->response.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(wrong->response.field("x-tollgate-error"), "method");
}

TEST_F(Dispatching, options_is_answered_where_no_route_takes_it) {
  Dispatcher dispatcher(services_, load(table));
  const auto known = ask(dispatcher, "OPTIONS", "/hello");
  EXPECT_EQ(known->response.status(), 204);
  EXPECT_EQ(known->response.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_TRUE(known->response.body.empty());
  const auto server = ask(dispatcher, "OPTIONS", "*");
  EXPECT_EQ(server->response.status(), 204);
  const auto unknown = ask(dispatcher, "OPTIONS", "/nothing");
  EXPECT_EQ(unknown->response.status(), 404);
  const auto taken = ask(dispatcher, "OPTIONS", "/echo");
  EXPECT_EQ(taken->response.body, "echo: ");
}

TEST_F(Dispatching, body_limit_is_set_and_a_declared_length_above_it_refused) {
  Dispatcher dispatcher(services_, load(table));
  FakeExchange at("POST", "/echo");
  at.request.content_length = 4;
  at.body.set({"abcd"}, FakeBody::Arrival::at_once);
  dispatch(dispatcher, at);
  EXPECT_EQ(at.response.status(), 200);
  EXPECT_EQ(at.body.limit_bytes(), 4u);

  FakeExchange above("POST", "/echo");
  above.request.content_length = 5;
  dispatch(dispatcher, above);
  EXPECT_EQ(above.response.status(), 413);

  FakeExchange undeclared("POST", "/echo");
  undeclared.request.content_length = std::nullopt;
  undeclared.body.set({"abcde"}, FakeBody::Arrival::in_pieces);
  dispatch(dispatcher, undeclared);
  EXPECT_EQ(undeclared.response.status(), 413);
  EXPECT_EQ(undeclared.response.field("x-tollgate-error"), "body");
  EXPECT_EQ(records_.kept.back().slot, 11u);
}

TEST_F(Dispatching, deadline_ends_a_backend_that_takes_too_long) {
  Dispatcher dispatcher(services_, load(table));
  const auto fake = ask(dispatcher, "GET", "/compute?iters=10000000");
  EXPECT_EQ(fake->response.status(), 504);
  EXPECT_EQ(fake->response.field("x-tollgate-error"), "deadline");
  const auto& kept = records_.kept.back();
  EXPECT_EQ(kept.reason, &reasons::deadline);
  EXPECT_GE(kept.total, std::chrono::milliseconds(20));
  EXPECT_LT(kept.total, std::chrono::milliseconds(500));
}

TEST_F(Dispatching, deadline_counts_from_the_last_bytes_of_the_body) {
  Dispatcher dispatcher(services_, load(table));
  FakeExchange fake("POST", "/compute?iters=10000000");
  fake.body.arrived(std::chrono::steady_clock::now() + std::chrono::milliseconds(100));
  dispatch(dispatcher, fake);
  EXPECT_EQ(fake.response.field("x-tollgate-error"), "deadline");
  EXPECT_GE(records_.kept.back().total, std::chrono::milliseconds(120));
}

TEST_F(Dispatching, a_client_that_is_gone_gets_no_error_response) {
  Dispatcher dispatcher(services_, load(table));
  FakeExchange fake("GET", "/compute?iters=10000000");
  asio::post(loop_, [&fake] { fake.cancellation.cancel(http::reasons::client_gone); });
  dispatch(dispatcher, fake);
  EXPECT_FALSE(fake.response.started());
  EXPECT_TRUE(fake.response.aborted);
  EXPECT_EQ(records_.kept.back().reason, &http::reasons::client_gone);
}

TEST_F(Dispatching, backend_reason_becomes_the_error_response) {
  Dispatcher dispatcher(services_, load(table));
  const auto fake = ask(dispatcher, "GET", "/compute?iters=many");
  EXPECT_EQ(fake->response.status(), 400);
  EXPECT_EQ(fake->response.field("x-tollgate-error"), "parameter");
  EXPECT_THAT(fake->response.body, ::testing::HasSubstr("iters must be a number"));
}

TEST_F(Dispatching, quarantined_routes_are_503_with_retry_after) {
  Dispatcher dispatcher(services_, load(table));
  counts_->routes[10].quarantined = 1;
  const auto fake = ask(dispatcher, "GET", "/hello");
  EXPECT_EQ(fake->response.status(), 503);
  EXPECT_EQ(fake->response.field("x-tollgate-error"), "quarantine");
  EXPECT_TRUE(fake->response.field("retry-after"));
  counts_->routes[10].quarantined = 0;
  const auto again = ask(dispatcher, "GET", "/hello");
  EXPECT_EQ(again->response.status(), 200);
}

TEST_F(Dispatching, a_table_that_cannot_be_loaded_names_the_route_and_the_reason) {
  auto config = read_config(
      "[[route]]\npath = \"/a\"\nnative = \"hello\"\n"
      "[[route]]\npath = \"/b\"\nwasm = \"gone.wasm\"\n",
      "/t.toml", process_environment(), NamedFiles::not_looked_at);
  ASSERT_TRUE(config);
  const auto loaded = LoadedTable::load(*std::move(config), {}, services_);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error(), ::testing::StartsWith("route /b: "));
  EXPECT_THAT(loaded.error(), ::testing::HasSubstr("/gone.wasm"));
}

TEST_F(Dispatching, requests_in_flight_keep_the_table_they_were_matched_in) {
  TableLease first = load(table);
  Dispatcher dispatcher(services_, first);
  FakeExchange fake("GET", "/compute?iters=10000");
  asio::co_spawn(loop_, dispatcher.handle(fake.exchange), asio::detached);
  loop_.poll_one();
  dispatcher.use(load("[[route]]\npath = \"/new\"\nrespond = { body = \"new\" }\n"));
  EXPECT_EQ(first->use_count(), 2u);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(fake.response.status(), 200);
  EXPECT_EQ(first->use_count(), 1u);
  const auto fresh = ask(dispatcher, "GET", "/new");
  EXPECT_EQ(fresh->response.body, "new");
  const auto removed = ask(dispatcher, "GET", "/hello");
  EXPECT_EQ(removed->response.status(), 404);
}

TEST_F(Dispatching, refusals_of_the_connection_are_passed_on) {
  Dispatcher dispatcher(services_, load(table));
  dispatcher.refused(http::reasons::bad_host, "192.0.2.1");
  EXPECT_EQ(records_.refusals, (std::vector<const http::Reason*>{&http::reasons::bad_host}));
}

}  // namespace
}  // namespace tollgate::gateway
