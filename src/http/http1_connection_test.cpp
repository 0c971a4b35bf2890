#include "http/http1_connection.hpp"

#include "http/request_vectors.hpp"
#include "http/server_fixture.hpp"

namespace tollgate::http::test {
namespace {

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

class Http1 : public ServerFixture {};

TEST_F(Http1, answers_request_after_request_on_one_connection) {
  start();
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.ask(get);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nDate: "));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhello"));
  }
  EXPECT_EQ(counters().accepted, 1u);
  EXPECT_EQ(counters().requests, 3u);
}

TEST_F(Http1, answers_a_head_that_comes_byte_by_byte) {
  start();
  Client client = connect();
  for (const char& byte : get) {
    client.send({&byte, 1});
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
}

// The kernel takes a part of what has gathered, and more answers come while the rest is written.
TEST_F(Http1, a_pipelining_client_that_does_not_read_gets_every_answer_whole_later) {
  constexpr int requests = 6000;
  start([](Exchange& exchange) -> Task<> {
    const std::string body = std::string(1000, '.') + std::string(exchange.request.path) + ";";
    const auto sent = co_await exchange.response.send(ResponseHead{}, body);
    static_cast<void>(sent);
  });
  Client client = connect(4096);
  std::thread sender([&client] {
    for (int i = 0; i < requests; ++i)
      client.send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  });
  std::this_thread::sleep_for(200ms);
  const std::string last = "/" + std::to_string(requests - 1) + ";";
  std::string answers;
  while (answers.find(last, answers.size() - std::min<std::size_t>(answers.size(), 1u << 17)) ==
         std::string::npos) {
    const std::string more = client.receive_some();
    if (more.empty()) break;
    answers += more;
  }
  sender.join();
  std::size_t at = 0;
  for (int i = 0; i < requests; ++i) {
    const std::string body = std::string(1000, '.') + "/" + std::to_string(i) + ";";
    at = answers.find("\r\n\r\n", at);
    ASSERT_NE(at, std::string::npos) << i;
    ASSERT_EQ(answers.substr(at + 4, body.size()), body);
    at += 4 + body.size();
  }
}

// One answer at a time, each at a turn's end, until the kernel takes no more: then what waits is being
// written when the next answer comes, and must stay where it is.
TEST_F(Http1, an_answer_behind_a_write_under_way_does_not_move_its_bytes) {
  const auto body_of = [](std::string_view path) {
    std::string body;
    while (body.size() < 1500) body.append(path);
    return body + ";";
  };
  start([&body_of](Exchange& exchange) -> Task<> {
    const std::string body = body_of(exchange.request.path);
    const auto sent = co_await exchange.response.send(ResponseHead{}, body);
    static_cast<void>(sent);
  });
  Client client = connect(4096);
  std::uint64_t requests = 0;
  const auto answered_soon = [&] {
    const SteadyTime end = std::chrono::steady_clock::now() + 200ms;
    while (counters().requests < requests) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  };
  do {
    client.send("GET /" + std::to_string(requests++) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  } while (answered_soon());
  ASSERT_GT(requests, 10u);

  const std::string last = body_of("/" + std::to_string(requests - 1));
  std::string answers;
  while (!answers.ends_with(last)) {
    const std::string more = client.receive_some();
    ASSERT_FALSE(more.empty()) << "after " << answers.size() << " bytes";
    answers += more;
  }
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < requests; ++i) {
    const std::string body = body_of("/" + std::to_string(i));
    ASSERT_EQ(answers.compare(at, 13, "HTTP/1.1 200 "), 0) << i;
    at = answers.find("\r\n\r\n", at);
    ASSERT_NE(at, std::string::npos) << i;
    ASSERT_EQ(answers.substr(at + 4, body.size()), body);
    at += 4 + body.size();
  }
  EXPECT_EQ(at, answers.size());
}

TEST_F(Http1, answers_pipelined_requests_in_order) {
  start([](Exchange& exchange) -> Task<> {
    SteadyTimer timer(co_await asio::this_coro::executor);
    timer.expires_after(exchange.request.path == "/0" ? 20ms : 0ms);
    co_await timer.async_wait(use_task);
    const auto sent = co_await exchange.response.send(ResponseHead{}, exchange.request.path);
    static_cast<void>(sent);
  });
  Client client = connect();
  std::string requests;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    expected += "/" + std::to_string(i);
  }
  client.send(requests);
  const std::string answers = client.receive_until("\r\n\r\n/99");
  std::string bodies;
  for (std::size_t at = answers.find("\r\n\r\n"); at != std::string::npos;
       at = answers.find("\r\n\r\n", at + 1)) {
    bodies += answers.substr(at + 4, std::min(answers.find("HTTP/", at), answers.size()) - at - 4);
  }
  EXPECT_EQ(bodies, expected);
}

TEST_F(Http1, answers_the_good_request_before_it_refuses_the_hostile_one_behind_it) {
  start(answer_echo);
  for (const HostileRequest& hostile : hostile_requests()) {
    Client client = connect();
    client.send(std::string(get) + std::string(hostile.bytes));
    client.stop_sending();
    const std::string answers = client.receive_all();
    EXPECT_THAT(answers, StartsWith("HTTP/1.1 200 OK\r\n")) << hostile.name;
    if (hostile.name.starts_with("chunk") || hostile.name.starts_with("trailer") ||
        hostile.name.ends_with("end_lf") || hostile.name == "last_chunk_lf") {
      // The handler read it and was told.
      EXPECT_THAT(answers, HasSubstr("error: malformed")) << hostile.name;
    } else {
      EXPECT_THAT(answers, HasSubstr("\r\n\r\n|/|endHTTP/1.1 " + std::to_string(hostile.status)))
          << hostile.name;
      EXPECT_THAT(answers, HasSubstr("x-tollgate-error: ")) << hostile.name;
    }
    EXPECT_THAT(answers, HasSubstr("Connection: close\r\n")) << hostile.name;
    EXPECT_EQ(count(answers, "Content-Length: "), 2u) << hostile.name << "\n" << answers;
  }
}

TEST_F(Http1, refuses_with_word_and_id_and_closes_without_a_reset) {
  start();
  Client client = connect();
  client.send("\x16\x03\x01 hello\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-tollgate-error: malformed\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-request-id: "));
  EXPECT_TRUE(client.closed());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(handler_->refused_words(), std::vector<std::string>{"malformed"});
}

TEST_F(Http1, keeps_or_makes_a_request_id) {
  start();
  Client client = connect();
  EXPECT_THAT(client.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine-1\r\n\r\n"),
              HasSubstr("x-request-id: mine-1\r\n"));
  const std::string other = client.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: not mine\r\n\r\n");
  EXPECT_THAT(other, HasSubstr("x-request-id: "));
  EXPECT_THAT(other, Not(HasSubstr("not mine")));
}

TEST_F(Http1, a_refused_head_request_is_answered_without_a_body) {
  start();
  const std::string answer = answer_to("HEAD / HTTP/1.1\r\nHost: a, b\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: "));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(Http1, a_refusal_keeps_the_request_id_that_came_before_its_cause) {
  start();
  EXPECT_THAT(answer_to("GET / HTTP/1.1\r\nX-Request-Id: from-client\r\nHost: a, b\r\n\r\n"),
              HasSubstr("x-request-id: from-client\r\n"));
}

TEST_F(Http1, closes_when_the_client_says_so) {
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive_all(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

}  // namespace
}  // namespace tollgate::http::test
