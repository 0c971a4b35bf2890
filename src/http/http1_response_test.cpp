// What a handler answers and what of it goes out, over real sockets.
#include "http/http1_response.hpp"

#include "http/server_fixture.hpp"

namespace tollgate::http::test {
namespace {

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

class Http1Responses : public ServerFixture {};

TEST_F(Http1Responses, head_has_the_fields_of_get_and_no_body) {
  start([](Exchange& exchange) -> Task<> {
    Task<> answer = exchange.request.path == "/pieces" ? answer_in_pieces(exchange) : answer_hello(exchange);
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

TEST_F(Http1Responses, some_statuses_have_no_body) {
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

TEST_F(Http1Responses, sends_pieces_in_chunks_with_trailers_or_by_length) {
  start(answer_in_pieces);
  Client client = connect();
  EXPECT_THAT(client.ask(get, "0\r\nX-Sum: 6\r\n\r\n"),
              EndsWith("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n"));
  EXPECT_THAT(client.ask("GET /?length HTTP/1.1\r\nHost: a\r\n\r\n", "abcdef"),
              EndsWith("Content-Length: 6\r\n\r\nabcdef"));
}

TEST_F(Http1Responses, speaks_1_0_to_1_0) {
  start([](Exchange& exchange) -> Task<> {
    Task<> answer = exchange.request.path == "/pieces" ? answer_in_pieces(exchange) : answer_hello(exchange);
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

TEST_F(Http1Responses, passes_interim_responses_to_1_1_only) {
  start([](Exchange& exchange) -> Task<> {
    const Field fields[] = {{"Link", "</x>"}, {"Content-Length", "9"}};
    const ResponseHead early{103, fields};
    const auto informed = co_await exchange.response.inform(early);
    EXPECT_TRUE(informed);
    Task<> answer = answer_hello(exchange);
    co_await std::move(answer);
  });
  Client client = connect();
  EXPECT_THAT(client.ask(get),
              StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.ask("GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(Http1Responses, never_believes_a_backend_about_framing) {
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

TEST_F(Http1Responses, cuts_what_does_not_keep_its_word) {
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

}  // namespace
}  // namespace tollgate::http::test
