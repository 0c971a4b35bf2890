#include "gateway/backends/upstream/forwarding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tollgate::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

struct NoBody : http::BodyReader {
  void limit(std::uint64_t) override {}
  Task<expected<std::string_view, const http::Reason*>> read() override { co_return std::string_view(); }
  std::optional<std::string_view> all_if_buffered() override { return ""; }
  std::uint64_t bytes_arrived() const override { return 0; }
  SteadyTime last_arrival() const override { return {}; }
  const http::Fields& trailers() const override { return none; }
  http::Fields none;
};

struct NoResponse : http::ResponseWriter {
  Task<Result> inform(const http::ResponseHead&) override { co_return Result(); }
  Task<Result> send(const http::ResponseHead&, std::string_view) override { co_return Result(); }
  Task<Result> start(const http::ResponseHead&, std::optional<std::uint64_t>) override { co_return Result(); }
  Task<Result> write(std::string_view) override { co_return Result(); }
  Task<Result> finish(const http::Fields*) override { co_return Result(); }
  void abort() override {}
  bool started() const override { return false; }
  int status() const override { return 0; }
  std::uint64_t body_bytes() const override { return 0; }
};

struct NoWatch : http::Exchange::ClientWatch {
  void start() override {}
  void stop() override {}
};

class RequestHead : public testing::Test {
 protected:
  RequestHead() {
    request.method_name = "GET";
    request.target = "/a%20b?c=d";
    request.path = "/a%20b";
    request.authority = "front.example:8080";
    request.fields.add("Host", "front.example:8080");
    exchange.remote_address = "192.0.2.7";
    exchange.request_id = "abc";
  }
  std::string write() const {
    std::string head;
    write_request_head(head, exchange, target, frame_request(request));
    return head;
  }

  http::Request request;
  NoBody body;
  NoResponse response;
  http::Cancellation cancellation;
  NoWatch watch;
  http::Exchange exchange{.request = request,
                          .body = body,
                          .response = response,
                          .cancellation = cancellation,
                          .remote_address = {},
                          .local_address = {},
                          .received = {},
                          .request_id = {},
                          .extra_fields = {},
                          .client_watch = watch};
  UpstreamTarget target{"back.example", "/base", "http://back.example/base"};
};

TEST_F(RequestHead, is_written_anew_with_base_path_and_host) {
  request.fields.add("Accept", "*/*");
  EXPECT_EQ(
      write(),
      "GET /base/a%20b?c=d HTTP/1.1\r\nHost: back.example\r\nAccept: */*\r\n"
      "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: front.example:8080\r\nX-Forwarded-Proto: http\r\n"
      "Forwarded: for=192.0.2.7;host=\"front.example:8080\";proto=http\r\nX-Request-Id: abc\r\n\r\n");
}

TEST_F(RequestHead, loses_hop_by_hop_fields_and_those_that_connection_names) {
  for (const char* name : {"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Upgrade",
                           "HTTP2-Settings", "Expect", "X-Secret", "Trailer"}) {
    request.fields.add(name, "gone");
  }
  request.fields.add("Connection", "close, X-Secret ,x-more");
  request.fields.add("connection", "Upgrade");
  request.fields.add("X-More", "gone");
  request.fields.add("X-Kept", "kept");
  const std::string head = write();
  EXPECT_THAT(head, Not(HasSubstr("gone")));
  EXPECT_THAT(head, Not(HasSubstr("onnection")));
  EXPECT_THAT(head, HasSubstr("X-Kept: kept\r\n"));
}

TEST_F(RequestHead, replaces_what_the_client_claims_about_its_way) {
  for (const char* name : {"X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "X-Forwarded-Prefix",
                           "Forwarded", "X-Request-Id"}) {
    request.fields.add(name, "forged");
  }
  exchange.remote_address = "2001:db8::1";
  const std::string head = write();
  EXPECT_THAT(head, Not(HasSubstr("forged")));
  EXPECT_THAT(head, HasSubstr("X-Forwarded-For: 2001:db8::1\r\n"));
  EXPECT_THAT(head, HasSubstr("Forwarded: for=\"[2001:db8::1]\";host="));
}

TEST_F(RequestHead, claims_no_host_when_the_client_named_none) {
  request.authority = {};
  const std::string head = write();
  EXPECT_THAT(head, Not(HasSubstr("X-Forwarded-Host")));
  EXPECT_THAT(head, HasSubstr("Forwarded: for=192.0.2.7;proto=http\r\n"));
}

TEST_F(RequestHead, frames_the_body_itself) {
  EXPECT_THAT(write(), Not(HasSubstr("Content-Length")));
  request.fields.add("content-length", "0");
  EXPECT_THAT(write(), HasSubstr("Content-Length: 0\r\n"));
  request.content_length = 12;
  EXPECT_THAT(write(), HasSubstr("Content-Length: 12\r\n"));
  request.content_length = std::nullopt;
  EXPECT_THAT(write(), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(write(), Not(HasSubstr("ontent-")));
}

TEST_F(RequestHead, asks_for_trailers_when_the_client_takes_them) {
  request.fields.add("TE", "gzip, trailers");
  EXPECT_THAT(write(), HasSubstr("TE: trailers\r\nConnection: TE\r\n"));
}

TEST_F(RequestHead, keeps_an_empty_query_and_the_asterisk) {
  request.target = "/a?";
  request.path = "/a";
  EXPECT_THAT(write(), HasSubstr("GET /base/a? HTTP"));
  request.target = "*";
  EXPECT_THAT(write(), HasSubstr("GET * HTTP"));
}

TEST(ResponseFields, lose_what_concerns_one_connection_only) {
  http::Fields fields;
  for (const char* name : {"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length",
                           "X-Upstream-Url", "X-Upstream-Status", "X-Tollgate-Error", "Trailer", "X-Named"}) {
    fields.add(name, name == std::string_view("Connection") ? "X-Named" : "gone");
  }
  fields.add("Set-Cookie", "a");
  fields.add("Set-Cookie", "b");
  std::vector<http::Field> out;
  forward_response_fields(fields, out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[1].value, "b");
}

TEST(Trailers, never_change_framing_or_routing) {
  http::Fields fields;
  for (const char* name : {"Content-Length", "Host", "Connection", "X-Forwarded-For", "X-Sum"})
    fields.add(name, "1");
  http::Fields out;
  forward_trailers(fields, out);
  ASSERT_EQ(out.size(), 1u);
  std::string text;
  write_trailers(text, out);
  EXPECT_EQ(text, "X-Sum: 1\r\n\r\n");
}

}  // namespace
}  // namespace tollgate::gateway
