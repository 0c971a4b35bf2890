// The backends `sandbox` and `transform` over fake programs: what a guest is given, what its output and its
// outcome become. tests/e2e does the same with real guests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>

#include "gateway/guests/guest_services.hpp"
#include "gateway/reasons.hpp"
#include "gateway/routing/backend_factory.hpp"
#include "gateway/testing/fake_exchange.hpp"
#include "gateway/testing/fake_guest.hpp"
#include "gateway/testing/quiet_observer.hpp"

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;
using sandbox::Ending;
using testing::FakeBody;
using testing::FakeExchange;
using testing::FakeProgram;
using testing::Script;
using testing::Slice;

class Observed final : public testing::QuietObserver {
 public:
  void sandbox_begun(std::uint32_t) override { ++active; }
  void sandbox_ended(std::uint32_t) override { --active; }
  void guest_line(std::string_view id, std::string_view route, std::string_view line) override {
    lines.push_back(std::string(id) + " " + std::string(route) + " " + std::string(line));
  }
  int active = 0;
  std::vector<std::string> lines;
};

std::string all_of_body(const sandbox::Input& input) {
  std::string body;
  for (;;) {
    const auto piece = input.body->read(4);
    if (piece.state != sandbox::Source::State::ready) return body;
    body += piece.bytes;
  }
}

// Writes `wasm:` and its input.
Script study() {
  Script script;
  script.slices.push_back({.act = [](const sandbox::Input& input, sandbox::Sink& sink) {
    sink.write("wasm:");
    sink.write(all_of_body(input));
  }});
  return script;
}
Script writes(std::string output) {
  Script script;
  script.slices.push_back({.act = [output = std::move(output)](const sandbox::Input&, sandbox::Sink& sink) {
    sink.write(output);
  }});
  return script;
}

class GuestBackends : public ::testing::Test {
 protected:
  GuestBackends() {
    route.path = "/fn/*";
    route.backend = WasmBackend{
        .module = "/a.wasm", .abi = Abi::stdio, .env = {{"MODE", "demo"}}, .args = {}, .dirs = {}};
  }

  void make(Script script) {
    program = std::make_shared<FakeProgram>(std::move(script));
    resources.programs["/a.wasm"] = program;
    auto made = make_backend(route, resources, services);
    ASSERT_TRUE(made) << made.error();
    backend = std::move(*made);
  }
  void serve(FakeExchange& fake) {
    context.emplace(RequestContext{.exchange = fake.exchange, .route = route, .matched_prefix = "/fn"});
    Task<> rest = backend->serve(*context);
    if (rest.valid()) testing::run(loop, std::move(rest));
  }
  void set_abi(Abi abi) { std::get<WasmBackend>(route.backend).abi = abi; }

  EventLoop loop{BOOST_ASIO_CONCURRENCY_HINT_1};
  TimerWheel wheel{loop};
  std::unique_ptr<SharedCounts> counts = std::make_unique<SharedCounts>();
  std::unique_ptr<WorkerMark> mark = std::make_unique<WorkerMark>();
  Observed observer;
  UpstreamAddresses upstreams{loop.get_executor(), wheel};
  GuestServices guests{loop.get_executor(), *mark};
  WorkerServices services{loop.get_executor(), wheel, *counts, *mark, observer, upstreams, &guests};
  Route route;
  TableResources resources;
  std::shared_ptr<FakeProgram> program;
  std::unique_ptr<Backend> backend;
  std::optional<RequestContext> context;
};

TEST_F(GuestBackends, stdio_gives_body_in_and_body_out_with_200) {
  make(study());
  FakeExchange fake("POST", "/fn/x");
  fake.body.set({"hello ", "world"}, FakeBody::Arrival::in_pieces);
  serve(fake);
  EXPECT_EQ(fake.response.status(), 200);
  EXPECT_EQ(fake.response.body, "wasm:hello world");
  EXPECT_EQ(context->reason, nullptr);
  EXPECT_TRUE(context->guest);
  EXPECT_EQ(observer.active, 0);
}

TEST_F(GuestBackends, cgi_gives_environment_in_and_a_cgi_response_out) {
  set_abi(Abi::cgi);
  Script script;
  script.slices.push_back({.act = [](const sandbox::Input& input, sandbox::Sink& sink) {
    EXPECT_THAT(input.environment, ::testing::Contains("PATH_INFO=/a"));
    EXPECT_THAT(input.environment, ::testing::Contains("SCRIPT_NAME=/fn"));
    EXPECT_THAT(input.environment, ::testing::Contains("MODE=demo"));
    EXPECT_THAT(input.args, ::testing::ElementsAre("fake", "word"));
    sink.write("Status: 418 Teapot\nX-A: b\n\n");
    sink.write("short");
  }});
  make(script);
  FakeExchange fake("GET", "/fn/a?word");
  serve(fake);
  EXPECT_EQ(fake.response.status(), 418);
  EXPECT_EQ(fake.response.field("x-a"), "b");
  EXPECT_EQ(fake.response.body, "short");
}

TEST_F(GuestBackends, output_without_a_head_is_a_502_that_suggests_stdio) {
  set_abi(Abi::cgi);
  make(writes("just text"));
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_FALSE(fake.response.started());
  EXPECT_EQ(context->reason, &reasons::bad_response);
  EXPECT_NE(context->detail.find("abi = \"stdio\""), std::string::npos);
}

TEST_F(GuestBackends, each_ending_has_its_reason) {
  const std::pair<Ending, const http::Reason*> endings[] = {
      {Ending::exit_code, &reasons::exit_code},  {Ending::trap, &reasons::trap},
      {Ending::memory, &reasons::memory},        {Ending::cpu, &reasons::cpu},
      {Ending::output, &reasons::output},        {Ending::capacity, &reasons::capacity},
      {Ending::engine, &http::reasons::internal}};
  for (const auto& [ending, reason] : endings) {
    Script script = writes("half an answer");
    script.outcome.ending = ending;
    script.outcome.detail = "because";
    script.outcome.exit_code = 3;
    make(script);
    FakeExchange fake("GET", "/fn/a");
    serve(fake);
    EXPECT_EQ(context->reason, reason);
    EXPECT_EQ(context->detail, ending == Ending::exit_code ? "exit code 3" : "because");
    EXPECT_FALSE(fake.response.started());
    EXPECT_EQ(observer.active, 0);
  }
}

TEST_F(GuestBackends, a_cancelled_exchange_ends_its_guest_with_that_cause) {
  Script script;
  script.slices.push_back({sandbox::Run::State::runnable});
  make(script);
  FakeExchange fake("GET", "/fn/a");
  SteadyTimer timer(loop.get_executor());
  timer.expires_after(20ms);
  timer.async_wait([&](error_code) {
    EXPECT_TRUE(fake.watch.watching);
    fake.cancellation.cancel(reasons::deadline);
  });
  serve(fake);
  EXPECT_EQ(context->reason, &reasons::deadline);
  EXPECT_FALSE(fake.watch.watching);
  EXPECT_EQ(counts->routes[0].all_workers.running.load(), 0);
}

TEST_F(GuestBackends, a_full_queue_is_capacity) {
  route.limits.concurrent = 0;
  route.limits.queue = 0;
  make(study());
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_EQ(context->reason, &reasons::capacity);
  EXPECT_EQ(program->started, 0);
}

TEST_F(GuestBackends, a_body_that_fails_starts_no_sandbox) {
  make(study());
  FakeExchange fake("POST", "/fn/a");
  fake.body.set({"part"}, FakeBody::Arrival::in_pieces);
  fake.body.fail_at_end(http::reasons::body_too_large);
  serve(fake);
  EXPECT_EQ(context->reason, &http::reasons::body_too_large);
  EXPECT_EQ(program->started, 0);
}

TEST_F(GuestBackends, stderr_goes_to_the_log_by_lines_with_the_request_id) {
  Script script;
  script.slices.push_back({.act = [](const sandbox::Input&, sandbox::Sink& sink) {
    sink.log("one\ntw");
    sink.log("o");
  }});
  make(script);
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_THAT(observer.lines, ::testing::ElementsAre("id-of-this-exchange " + route.name() + " one",
                                                     "id-of-this-exchange " + route.name() + " two"));
}

TEST_F(GuestBackends, a_module_that_was_not_loaded_is_named) {
  auto made = make_backend(route, resources, services);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find("/a.wasm"), std::string::npos);
}

class Transforming : public GuestBackends {
 protected:
  Transforming() {
    route.transform = WasmBackend{.module = "/a.wasm", .abi = Abi::stdio, .env = {}, .args = {}, .dirs = {}};
    route.backend = RespondBackend{404, "inner"};
  }
};

TEST_F(Transforming, sends_the_guests_output_with_the_inner_status_and_fields) {
  make(study());
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_EQ(fake.response.status(), 404);
  EXPECT_EQ(fake.response.body, "wasm:inner");
  EXPECT_TRUE(fake.response.field("content-type"));
  EXPECT_EQ(fake.response.field("x-wasm-processed"), std::nullopt);
  EXPECT_EQ(backend->fixed_response(), nullptr);
}

TEST_F(Transforming, touches_no_guest_for_head) {
  make(study());
  FakeExchange fake("HEAD", "/fn/a");
  serve(fake);
  EXPECT_EQ(fake.response.status(), 404);
  EXPECT_EQ(fake.response.body, "");
  EXPECT_EQ(program->started, 0);
}

TEST_F(Transforming, holds_no_more_of_the_inner_body_than_allowed) {
  route.limits.response_bytes = 4;
  make(study());
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_FALSE(fake.response.started());
  EXPECT_EQ(context->reason, &reasons::output);
  EXPECT_EQ(program->started, 0);
}

TEST_F(Transforming, a_guest_that_fails_fails_the_request) {
  Script script = writes("half");
  script.outcome.ending = Ending::trap;
  make(script);
  FakeExchange fake("GET", "/fn/a");
  serve(fake);
  EXPECT_FALSE(fake.response.started());
  EXPECT_EQ(context->reason, &reasons::trap);
}

}  // namespace
}  // namespace tollgate::gateway
