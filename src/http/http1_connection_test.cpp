#include "http/http1_connection.hpp"

#include <gmock/gmock.h>

#include "http/request_vectors.hpp"
#include "http/server_fixture.hpp"

namespace tollgate::http {
namespace {

using namespace std::chrono_literals;
using test::Client;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

Task<std::string> whole_body(Exchange& exchange) {
  std::string whole;
  for (;;) {
    const auto piece = co_await exchange.body.read();
    if (!piece) co_return "error: " + std::string(piece.error()->word);
    if (piece->empty()) co_return whole;
    whole.append(*piece);
  }
}

// Answers with the body, its trailers and the path.
Task<> answer_echo(Exchange& exchange) {
  std::string whole = co_await whole_body(exchange);
  whole.append("|").append(exchange.request.target);
  for (const Field& field : exchange.body.trailers())
    whole.append("|").append(field.name).append("=").append(field.value);
  whole.append("|end");
  const auto sent = co_await exchange.response.send(ResponseHead{}, whole);
  static_cast<void>(sent);
}

Task<> answer_in_pieces(Exchange& exchange) {
  const auto length = exchange.request.query == "length" ? std::optional<std::uint64_t>(6) : std::nullopt;
  const auto started = co_await exchange.response.start(ResponseHead{}, length);
  const auto first = co_await exchange.response.write("abc");
  const auto second = co_await exchange.response.write("def");
  Fields trailers;
  trailers.add("X-Sum", "6");
  const auto finished = co_await exchange.response.finish(&trailers);
  static_cast<void>(started && first && second && finished);
}

class Http1 : public test::ServerFixture {};

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
  for (const test::HostileRequest& hostile : test::hostile_requests()) {
    Client client = connect();
    client.send(std::string(get) + std::string(hostile.bytes));
    client.stop_sending();
    const std::string answers = client.receive_all();
    EXPECT_THAT(answers, StartsWith("HTTP/1.1 200 OK\r\n")) << hostile.name;
    if (hostile.name.starts_with("chunk") || hostile.name.starts_with("trailer") ||
        hostile.name.ends_with("end_lf") || hostile.name == "last_chunk_lf") {
      EXPECT_THAT(answers, HasSubstr("error: malformed"))
          << hostile.name;  // the handler read it and was told
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

TEST_F(Http1, reads_a_body_by_length_and_one_in_chunks) {
  start(answer_echo);
  Client client = connect();
  EXPECT_THAT(client.ask("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", "|end"),
              EndsWith("\r\n\r\nabcd|/l|end"));
  client.send("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  std::this_thread::sleep_for(20ms);
  EXPECT_THAT(client.ask("2\r\nde\r\n0\r\nX-T: v\r\n\r\n", "|end"), EndsWith("\r\n\r\nabcde|/c|X-T=v|end"));
  EXPECT_THAT(client.ask(get, "|end"), EndsWith("\r\n\r\n|/|end"));
}

TEST_F(Http1, finds_the_next_request_behind_a_large_chunked_body) {
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

TEST_F(Http1, gives_a_body_that_came_with_its_head_without_a_read) {
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

TEST_F(Http1, what_all_if_buffered_began_read_continues) {
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

TEST_F(Http1, says_continue_when_the_handler_first_reads) {
  start(answer_echo);
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(client.ask("abc", "|end"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.ask(get, "|end"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1, does_not_say_continue_when_the_body_is_there) {
  start(answer_echo);
  Client client = connect();
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
                         "|end"),
              StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1, closes_when_the_answer_came_instead_of_continue) {
  start();
  Client client = connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(Http1, head_has_the_fields_of_get_and_no_body) {
  start([](Exchange& exchange) -> Task<> {
    Task<> answer =
        exchange.request.path == "/pieces" ? answer_in_pieces(exchange) : test::answer_hello(exchange);
    co_await std::move(answer);
  });
  Client client = connect();
  const std::string whole = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
  EXPECT_THAT(whole, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(whole, EndsWith("\r\n\r\n"));
  const std::string pieces = client.ask("HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
  EXPECT_THAT(pieces, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(pieces, EndsWith("\r\n\r\n"));
  EXPECT_THAT(client.ask(get), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1, a_refused_head_request_is_answered_without_a_body) {
  start();
  Client client = connect();
  client.send("HEAD / HTTP/1.1\r\nHost: a, b\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: "));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(Http1, a_refusal_keeps_the_request_id_that_came_before_its_cause) {
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\nX-Request-Id: from-client\r\nHost: a, b\r\n\r\n");
  EXPECT_THAT(client.receive_all(), HasSubstr("x-request-id: from-client\r\n"));
}

TEST_F(Http1, some_statuses_have_no_body) {
  start([](Exchange& exchange) -> Task<> {
    const ResponseHead head{std::stoi(std::string(exchange.request.path.substr(1))), {}};
    const auto sent = co_await exchange.response.send(head, "never seen");
    static_cast<void>(sent);
  });
  Client client = connect();
  for (const char* status : {"204", "304"}) {
    const std::string answer =
        client.ask("GET /" + std::string(status) + " HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::string(status)));
    EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  }
}

TEST_F(Http1, sends_pieces_in_chunks_with_trailers_or_by_length) {
  start(answer_in_pieces);
  Client client = connect();
  EXPECT_THAT(client.ask(get, "0\r\nX-Sum: 6\r\n\r\n"),
              EndsWith("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n"));
  EXPECT_THAT(client.ask("GET /?length HTTP/1.1\r\nHost: a\r\n\r\n", "abcdef"),
              EndsWith("Content-Length: 6\r\n\r\nabcdef"));
}

TEST_F(Http1, speaks_1_0_to_1_0) {
  start([](Exchange& exchange) -> Task<> {
    Task<> answer =
        exchange.request.path == "/pieces" ? answer_in_pieces(exchange) : test::answer_hello(exchange);
    co_await std::move(answer);
  });
  Client once = connect();
  EXPECT_THAT(once.ask("GET / HTTP/1.0\r\n\r\n", "nothing"), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(once.closed());

  Client again = connect();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(again.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                HasSubstr("Connection: keep-alive\r\n"));
  }
  const std::string streamed = again.ask("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "nothing");
  EXPECT_THAT(streamed, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_THAT(streamed, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(streamed, EndsWith("\r\n\r\nabcdef"));
  EXPECT_TRUE(again.closed());
}

TEST_F(Http1, closes_when_the_client_says_so) {
  start();
  Client client = connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive_all(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(Http1, passes_interim_responses_to_1_1_only) {
  start([](Exchange& exchange) -> Task<> {
    const Field fields[] = {{"Link", "</x>"}, {"Content-Length", "9"}};
    const ResponseHead early{103, fields};
    const auto informed = co_await exchange.response.inform(early);
    EXPECT_TRUE(informed);
    Task<> answer = test::answer_hello(exchange);
    co_await std::move(answer);
  });
  Client client = connect();
  EXPECT_THAT(client.ask(get),
              StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.ask("GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1, never_believes_a_backend_about_framing) {
  start([](Exchange& exchange) -> Task<> {
    const Field fields[] = {{"Content-Length", "99"},
                            {"transfer-encoding", "chunked"},
                            {"Connection", "X-Kept"},
                            {"Date", "never"},
                            {"X-Request-Id", "forged"},
                            {"Keep-Alive", "1"},
                            {"X-Split", "a\r\nX-Evil: b"},
                            {"X-Nul", std::string_view("a\0", 2)},
                            {"X Space", "a"},
                            {"X-Kept", "yes"}};
    const ResponseHead head{200, fields};
    const auto sent = co_await exchange.response.send(head, "hello");
    static_cast<void>(sent);
  });
  Client client = connect();
  const std::string answer = client.ask(get);
  EXPECT_THAT(answer, HasSubstr("\r\nX-Kept: yes\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 5\r\n"));
  for (const char* never : {"Content-Length: 99", "chunked", "Connection", "never", "forged", "Keep-Alive",
                            "Evil", "X-Nul", "X Space"}) {
    EXPECT_THAT(answer, Not(HasSubstr(never)));
  }
}

TEST_F(Http1, cuts_what_does_not_keep_its_word) {
  start([](Exchange& exchange) -> Task<> {
    if (exchange.request.path == "/throws") throw std::bad_alloc();
    if (exchange.request.path == "/silent") co_return;
    const auto length = exchange.request.path == "/chunked" ? std::nullopt : std::optional<std::uint64_t>(9);
    const auto started = co_await exchange.response.start(ResponseHead{}, length);
    const auto written = co_await exchange.response.write("abc");
    static_cast<void>(started && written);
    if (exchange.request.path == "/short") {
      const auto finished = co_await exchange.response.finish();
      EXPECT_FALSE(finished);
    }
  });
  EXPECT_THAT(connect().ask("GET /throws HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n"),
              StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(connect().ask("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n"),
              StartsWith("HTTP/1.1 500 "));
  for (const char* path : {"/short", "/left"}) {
    Client client = connect();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(client.receive_all(), EndsWith("\r\n\r\nabc"));
  }
  Client client = connect();
  client.send("GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_all(), EndsWith("3\r\nabc\r\n"));
  Client old = connect();
  old.send("GET /chunked HTTP/1.0\r\n\r\n");
  old.receive_all();
  EXPECT_TRUE(old.was_reset()) << "an end by close must not look complete";
}

TEST_F(Http1, reads_a_small_unread_body_away_and_closes_on_a_large_one) {
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

}  // namespace
}  // namespace tollgate::http
