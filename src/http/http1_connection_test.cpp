#include <gmock/gmock.h>

#include "http/server_fixture.hpp"

namespace tollgate::http {
namespace {

using test::Client;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Http1 : public test::ServerFixture {};

TEST_F(Http1, answers_request_after_request_on_one_connection) {
  start();
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhello"));
  }
  EXPECT_EQ(counters().accepted, 1u);
  EXPECT_EQ(counters().requests, 3u);
}

TEST_F(Http1, refuses_what_is_not_http_and_closes) {
  start();
  Client client = connect();
  client.send("\x16\x03\x01 hello\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-tollgate-error: malformed\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, HasSubstr("x-request-id: "));
  EXPECT_TRUE(client.closed());
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(handler_->refused_words(), std::vector<std::string>{"malformed"});
}

TEST_F(Http1, reads_a_body_by_length_and_one_in_chunks) {
  start([](Exchange& exchange) -> Task<> {
    std::string whole;
    for (;;) {
      const auto piece = co_await exchange.body.read();
      if (!piece || piece->empty()) break;
      whole.append(*piece);
    }
    const auto sent = co_await exchange.response.send(ResponseHead{}, whole);
    static_cast<void>(sent);
  });
  Client client = connect();
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab.!", "ab.!"),
              EndsWith("\r\n\r\nab.!"));
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  EXPECT_THAT(client.ask("2\r\n.!\r\n0\r\n\r\n", ".!"), EndsWith("\r\n\r\nabc.!"));
}

}  // namespace
}  // namespace tollgate::http
