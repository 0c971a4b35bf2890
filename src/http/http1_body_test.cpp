// Request bodies over real sockets: lengths, chunks, 100-continue, bodies nobody reads.
#include "http/http1_body.hpp"

#include "http/server_fixture.hpp"

namespace tollgate::http::test {
namespace {

class Http1Bodies : public ServerFixture {};

TEST_F(Http1Bodies, reads_a_body_by_length_and_one_in_chunks) {
  start(answer_echo);
  Client client = connect();
  EXPECT_THAT(client.ask("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", "|end"),
              EndsWith("\r\n\r\nabcd|/l|end"));
  client.send("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  std::this_thread::sleep_for(20ms);
  EXPECT_THAT(client.ask("2\r\nde\r\n0\r\nX-T: v\r\n\r\n", "|end"), EndsWith("\r\n\r\nabcde|/c|X-T=v|end"));
  EXPECT_THAT(client.ask(get, "|end"), EndsWith("\r\n\r\n|/|end"));
}

TEST_F(Http1Bodies, finds_the_next_request_behind_a_large_chunked_body) {
  start(answer_echo);
  Client client = connect();
  const std::string chunk(40'000, 'x');
  std::string request = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10; ++i) request += "9c40\r\n" + chunk + "\r\n";
  request += "0\r\n\r\n" + std::string(get) + "GET /last HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread sender([&] { client.send(request); });
  const std::string answers = client.receive_until("|/last|end");
  sender.join();
  EXPECT_THAT(answers, HasSubstr("\r\n\r\n" + std::string(400'000, 'x') + "|/c|endHTTP/1.1 200 OK"));
  EXPECT_THAT(answers, HasSubstr("\r\n\r\n|/|endHTTP/1.1 200 OK"));
  EXPECT_THAT(answers, EndsWith("\r\n\r\n|/last|end"));
}

TEST_F(Http1Bodies, gives_a_body_that_came_with_its_head_without_a_read) {
  start([](Exchange& exchange) -> Task<> {
    const auto body = exchange.body.all_if_buffered();
    const auto sent =
        co_await exchange.response.send(ResponseHead{}, std::string(body.value_or("later")) + "|end");
    static_cast<void>(sent);
  });
  Client client = connect();
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "|end"),
              EndsWith("\r\n\r\nabc|end"));
  EXPECT_THAT(
      client.ask(
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
          "|end"),
      EndsWith("\r\n\r\nabc|end"));
  EXPECT_THAT(client.ask(get, "|end"), EndsWith("\r\n\r\n|end"));
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "|end"),
              EndsWith("\r\n\r\nlater|end"));
}

TEST_F(Http1Bodies, a_body_that_is_there_can_be_asked_for_again_and_read) {
  start([](Exchange& exchange) -> Task<> {
    std::string seen(exchange.body.all_if_buffered().value_or("later"));
    seen.append("|").append(exchange.body.all_if_buffered().value_or("later"));
    for (int i = 0; i < 2; ++i) {
      const auto piece = co_await exchange.body.read();
      seen.append("|").append(piece.value_or("failed"));
    }
    seen.append("|").append(exchange.body.all_if_buffered().value_or("later")).append("|end");
    const auto sent = co_await exchange.response.send(ResponseHead{}, seen);
    static_cast<void>(sent);
  });
  Client client = connect();
  for (const std::string body : {"Content-Length: 3\r\n\r\nabc",
                                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n"}) {
    EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\n" + body, "|end"), EndsWith("abc|abc|abc|||end"));
  }
  EXPECT_THAT(client.ask(get, "|end"), EndsWith("\r\n\r\n|||||end"));
}

TEST_F(Http1Bodies, what_all_if_buffered_began_read_continues) {
  start([](Exchange& exchange) -> Task<> {
    const auto early = exchange.body.all_if_buffered();
    EXPECT_EQ(early, std::nullopt);
    Task<> answer = answer_echo(exchange);
    co_await std::move(answer);
  });
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nb");
  std::this_thread::sleep_for(20ms);
  EXPECT_THAT(client.ask("c\r\n0\r\n\r\n", "|end"), EndsWith("\r\n\r\nabc|/|end"));
}

TEST_F(Http1Bodies, says_continue_when_the_handler_first_reads) {
  start(answer_echo);
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(client.ask("abc", "|end"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.ask(get, "|end"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1Bodies, does_not_say_continue_when_the_body_is_there) {
  start(answer_echo);
  Client client = connect();
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
                         "|end"),
              StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1Bodies, closes_when_the_answer_came_instead_of_continue) {
  start();
  const std::string answer =
      answer_to("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(Http1Bodies, a_read_that_waits_is_interrupted_with_its_cause_and_the_connection_ends) {
  start([](Exchange& exchange) -> Task<> {
    SteadyTimer timer(co_await asio::this_coro::executor, 50ms);
    timer.async_wait([&exchange](const error_code&) { exchange.body.interrupt(reasons::internal); });
    const std::string text = co_await whole_body(exchange) + "|end";
    const auto sent = co_await exchange.response.send(ResponseHead{}, text);
    static_cast<void>(sent);
  });
  const std::string answer = answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nerror: internal|end"));
}

// Answers of one turn, which the client does not read, keep the socket full while a body's reader waits to
// say `100 Continue`.
class Http1BodiesBehindAFullSocket : public Http1Bodies {
 protected:
  static constexpr int answers = 8;
  static constexpr std::string_view upload =
      "POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  static constexpr std::string_view stalled_upload =
      "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na";

  // `when_stuck` is called on the loop's thread while the upload's reader waits.
  void start_full(std::function<void(Exchange&)> when_stuck, ServerLimits limits = {}) {
    send_buffer_bytes_ = 1;  // the kernel's least
    start(
        [this, when_stuck = std::move(when_stuck)](Exchange& exchange) -> Task<> {
          std::string text = "large " + std::string(1900, 'x') + " end";
          if (exchange.request.target == "/upload") {
            SteadyTimer timer(co_await asio::this_coro::executor, 100ms);
            timer.async_wait([&](const error_code& ended) {
              if (!ended) when_stuck(exchange);
            });
            text = co_await whole_body(exchange) + "|end";
            told_.set_value(text);
          }
          const auto sent = co_await exchange.response.send(ResponseHead{}, text);
          static_cast<void>(sent);
        },
        limits);
  }
  void send_all(Client& client, std::string_view last = upload) {
    std::string requests;
    for (int i = 0; i < answers; ++i) requests += get;
    client.send(requests.append(last));
  }
  static int whole_answers(const std::string& all) {
    int whole = 0;
    for (std::size_t at = all.find("x end"); at != std::string::npos; at = all.find("x end", at + 1)) ++whole;
    return whole;
  }
  void expect_all_answers_and_the_error(Client& client) {
    const std::string all = client.receive_all();
    EXPECT_EQ(whole_answers(all), answers);
    EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(all, EndsWith("\r\n\r\nerror: internal|end"));
  }
  // What the reader of the upload was told, within a time that no timeout of the server's has.
  std::string told() {
    auto result = told_.get_future();
    return result.wait_for(5s) == std::future_status::ready ? result.get() : "nothing";
  }

  std::promise<std::string> told_;
};

TEST_F(Http1BodiesBehindAFullSocket,
       a_reader_that_waits_to_say_continue_is_interrupted_and_no_answer_is_lost) {
  start_full([](Exchange& exchange) { exchange.body.interrupt(reasons::internal); });
  Client client = connect(1);
  send_all(client);
  EXPECT_EQ(told(), "error: internal|end");
  expect_all_answers_and_the_error(client);
}

TEST_F(Http1BodiesBehindAFullSocket, a_reader_that_waits_for_bytes_is_interrupted_and_no_answer_is_lost) {
  start_full([](Exchange& exchange) { exchange.body.interrupt(reasons::internal); });
  Client client = connect(1);
  send_all(client, stalled_upload);
  EXPECT_EQ(told(), "error: internal|end");
  expect_all_answers_and_the_error(client);
}

TEST_F(Http1BodiesBehindAFullSocket, a_cut_ends_the_reader_that_waits_to_say_continue) {
  start_full([this](Exchange&) {
    server_->drain();
    server_->drain();
  });
  Client client = connect(1);
  send_all(client);
  EXPECT_EQ(told(), "error: client_gone|end");
}

TEST_F(Http1BodiesBehindAFullSocket, a_head_that_never_ends_cuts_no_answer) {
  ServerLimits limits;
  limits.head_timeout = 100ms;
  start_full([](Exchange&) {}, limits);
  Client client = connect(1);
  send_all(client, "GET /half");
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(whole_answers(client.receive_all()), answers);
}

TEST_F(Http1BodiesBehindAFullSocket, a_drain_cuts_no_answer_that_is_still_being_sent) {
  start_full([](Exchange&) {});
  Client client = connect(1);
  send_all(client, "");
  std::this_thread::sleep_for(100ms);
  asio::post(loop_, [this] { server_->drain(); });
  std::this_thread::sleep_for(400ms);  // more than drain_grace
  EXPECT_EQ(whole_answers(client.receive_all()), answers);
}

TEST_F(Http1BodiesBehindAFullSocket, its_client_gives_its_place_to_another_at_the_cap) {
  ServerLimits limits;
  limits.connections_max = 1;
  start_full([](Exchange&) {}, limits);
  Client stuck = connect(1);
  send_all(stuck, "");
  std::this_thread::sleep_for(100ms);
  Client next = connect();
  EXPECT_THAT(next.ask(get, "x end"), EndsWith("x end"));
  EXPECT_TRUE(eventually([](const ServerCounters& c) { return c.open == 1; }));
}

TEST_F(Http1BodiesBehindAFullSocket, continue_is_said_behind_the_answers_once_the_client_reads) {
  start_full([](Exchange&) {});
  Client client = connect(1);
  send_all(client);
  std::this_thread::sleep_for(200ms);
  EXPECT_THAT(client.receive_until("100 Continue\r\n\r\n"), EndsWith("x endHTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_THAT(client.ask("abc", "|end"), EndsWith("\r\n\r\nabc|end"));
}

TEST_F(Http1Bodies, an_interruption_after_the_end_changes_nothing) {
  start([](Exchange& exchange) -> Task<> {
    const std::string body = co_await whole_body(exchange);
    exchange.body.interrupt(reasons::internal);
    const std::string text = body + "|" + std::to_string(exchange.body.bytes_arrived()) + "|end";
    const auto sent = co_await exchange.response.send(ResponseHead{}, text);
    static_cast<void>(sent);
  });
  Client client = connect();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                           "|end"),
                EndsWith("\r\n\r\nabc|3|end"));
  }
}

TEST_F(Http1Bodies, reads_a_small_unread_body_away_and_closes_on_a_large_one) {
  start();
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
  EXPECT_THAT(client.receive_until("hello"), Not(HasSubstr("Connection")));
  client.send(std::string(60000, 'x'));
  EXPECT_THAT(client.ask(get), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
  client.receive_until("hello");
  EXPECT_THAT(client.ask(get), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_THAT(client.receive_until("hello"), HasSubstr("Connection: close\r\n"));
}

// The answer waits for the end of the loop's turn, and all that is read away is there before that.
TEST_F(Http1Bodies, an_early_answer_is_sent_before_the_connection_closes_on_a_large_unread_body) {
  start();
  Client client = connect();
  client.ask(get);
  std::string body;
  for (int i = 0; i < 30; ++i) body += "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  on_loop([&] {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
    std::this_thread::sleep_for(20ms);
  });
  EXPECT_THAT(client.receive_all(), EndsWith("hello"));
}

}  // namespace
}  // namespace tollgate::http::test
