// Limits and timeouts of each phase, just below, at and just above; what a stalled client costs.
#include "http/server_fixture.hpp"

namespace tollgate::http::test {
namespace {

ServerLimits short_timeouts() {
  ServerLimits limits;
  limits.head_timeout = 150ms;
  limits.body_timeout = 150ms;
  limits.idle_timeout = 150ms;
  limits.write_timeout = 150ms;
  return limits;
}

std::uint64_t timeouts(const ServerCounters& counters, Phase phase) {
  return counters.timeouts[static_cast<std::size_t>(phase)];
}

// Reads the body under a limit of 10 bytes and reports a failure as the gateway does.
Task<> answer_with_body_limit(Exchange& exchange) {
  exchange.body.limit(10);
  std::size_t size = 0;
  for (;;) {
    const auto piece = co_await exchange.body.read();
    if (!piece) {
      const auto sent = co_await send_error(exchange, *piece.error());
      static_cast<void>(sent);
      co_return;
    }
    if (piece->empty()) break;
    size += piece->size();
  }
  const std::string text = std::to_string(size) + "|end";
  const auto sent = co_await exchange.response.send(ResponseHead{}, text);
  static_cast<void>(sent);
}

class Http1Limits : public ServerFixture {
 protected:
  std::string status_of(std::string_view request) {
    Client client = connect();
    client.send(request);
    client.stop_sending();
    return client.receive_all().substr(9, 3);
  }
};

TEST_F(Http1Limits, target_of_8_KiB) {
  start();
  const auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(status_of(with_target(8191)), "200");
  EXPECT_EQ(status_of(with_target(8192)), "200");
  EXPECT_EQ(status_of(with_target(8193)), "414");
  EXPECT_EQ(status_of(with_target(1 << 20)), "414");
}

TEST_F(Http1Limits, header_section_of_64_KiB_and_100_fields) {
  start();
  const auto with_section = [](std::size_t bytes) {
    const std::string start = "Host: a\r\nX: ";
    return "GET / HTTP/1.1\r\n" + start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(status_of(with_section(65535)), "200");
  EXPECT_EQ(status_of(with_section(65536)), "200");
  EXPECT_EQ(status_of(with_section(65537)), "431");
  EXPECT_EQ(status_of(with_section(1 << 20)), "431");
  const auto with_fields = [](std::size_t count) {
    std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (std::size_t i = 1; i < count; ++i) bytes += "X: y\r\n";
    return bytes + "\r\n";
  };
  EXPECT_EQ(status_of(with_fields(99)), "200");
  EXPECT_EQ(status_of(with_fields(100)), "200");
  EXPECT_EQ(status_of(with_fields(101)), "431");
}

TEST_F(Http1Limits, body_by_length_and_in_chunks) {
  start(answer_with_body_limit);
  const auto by_length = [](std::size_t bytes) {
    return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
           std::string(bytes, 'x');
  };
  EXPECT_EQ(status_of(by_length(9)), "200");
  EXPECT_EQ(status_of(by_length(10)), "200");
  EXPECT_EQ(status_of(by_length(11)), "413");
  const auto in_chunks = [](std::size_t bytes) {
    std::string request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t i = 0; i < bytes; ++i) request += "1\r\nx\r\n";
    return request + "0\r\n\r\n";
  };
  EXPECT_EQ(status_of(in_chunks(9)), "200");
  EXPECT_EQ(status_of(in_chunks(10)), "200");
  EXPECT_EQ(status_of(in_chunks(11)), "413");
}

TEST_F(Http1Limits, a_length_over_the_limit_is_refused_before_a_byte_of_body) {
  start(answer_with_body_limit);
  const std::string answer =
      answer_to("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-tollgate-error: body\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(Http1Limits, an_answer_to_a_large_unread_body_arrives) {
  start(answer_with_body_limit);
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
  client.send(std::string(50000, 'x'));
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(client.was_reset());
}

// Most clients look for an answer only when they have sent everything.
TEST_F(Http1Limits, an_answer_to_an_upload_of_many_megabytes_arrives) {
  start(answer_with_body_limit);
  Client client = connect();
  const std::string body(12'000'000, 'x');
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(Http1Limits, slow_head_is_408) {
  start(answer_hello, short_timeouts());
  Client client = connect();
  const auto begin = std::chrono::steady_clock::now();
  client.send("GET / HT");
  std::this_thread::sleep_for(100ms);
  client.send("TP/1.1\r\n");  // a byte now and then does not buy time
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-tollgate-error: request_timeout\r\n"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(
      eventually([](const ServerCounters& c) { return timeouts(c, Phase::head) == 1 && c.open == 0; }));
}

TEST_F(Http1Limits, slow_head_after_a_good_request_is_408) {
  start(answer_hello, short_timeouts());
  Client client = connect();
  client.ask(get);
  client.send("GET / HT");
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Http1Limits, slow_body_is_408) {
  start(answer_with_body_limit, short_timeouts());
  const std::string answer = answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(eventually([](const ServerCounters& c) { return timeouts(c, Phase::body) == 1; }));
}

TEST_F(Http1Limits, idle_and_silent_connections_are_closed_quietly) {
  start(answer_hello, short_timeouts());
  Client client = connect();
  client.ask(get);
  Client silent = connect();
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(eventually([](const ServerCounters& c) {
    return timeouts(c, Phase::idle) == 1 && timeouts(c, Phase::head) == 1 && c.open == 0;
  }));
  EXPECT_TRUE(handler_->refused_words().empty());
}

TEST_F(Http1Limits, a_busy_connection_is_never_idle) {
  start(answer_hello, short_timeouts());
  Client client = connect();
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(client.ask(get), EndsWith("hello"));
    std::this_thread::sleep_for(60ms);
  }
}

TEST_F(Http1Limits, a_stalled_reader_stops_the_handler_and_then_loses_the_connection) {
  std::atomic<std::uint64_t> written{0};
  std::atomic<const Reason*> failure{nullptr};
  start(
      [&](Exchange& exchange) -> Task<> {
        const std::string piece(64 << 10, 'x');
        const auto started = co_await exchange.response.start(ResponseHead{}, std::uint64_t{1} << 30);
        static_cast<void>(started);
        for (;;) {
          const auto result = co_await exchange.response.write(piece);
          if (!result) {
            failure = result.error();
            co_return;
          }
          written += piece.size();
        }
      },
      short_timeouts());
  Client client = connect(4096);
  client.send(get);
  EXPECT_TRUE(
      eventually([](const ServerCounters& c) { return timeouts(c, Phase::write) == 1 && c.open == 0; }));
  EXPECT_EQ(failure.load(), &reasons::write_timeout);
  EXPECT_LT(written, 16u << 20) << "only what the kernel's buffers take";
}

TEST_F(Http1Limits, a_slow_reader_gets_everything) {
  const std::string body(3 << 20, 'y');
  start([&](Exchange& exchange) -> Task<> {
    const auto sent = co_await exchange.response.send(ResponseHead{}, body);
    EXPECT_TRUE(sent);
  });
  Client client = connect(16 << 10);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::this_thread::sleep_for(50ms);
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer.substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, body.size());
  EXPECT_TRUE(eventually([](const ServerCounters& c) { return c.open == 0; })) << "and lets go of the body";
}

}  // namespace
}  // namespace tollgate::http::test
