#include "gateway/abi/cgi_response.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::gateway::abi {
namespace {

std::string fields_of(const CgiResponse& response) {
  std::string all;
  for (const auto& field : response.fields)
    all += std::string(field.name) + "=" + std::string(field.value) + ";";
  return all;
}

TEST(CgiResponse, reads_fields_and_body_after_lf_or_crlf) {
  for (const std::string end : {"\n", "\r\n"}) {
    CgiResponse response;
    const std::string output =
        "Content-Type: text/plain" + end + "X-Two:\t b c \t" + end + end + "body\r\n\r\nmore";
    ASSERT_TRUE(read_cgi_response(output, response));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(fields_of(response), "Content-Type=text/plain;X-Two=b c;");
    EXPECT_EQ(response.body, "body\r\n\r\nmore");
  }
}

TEST(CgiResponse, takes_the_status_and_redirects_by_location) {
  CgiResponse response;
  ASSERT_TRUE(read_cgi_response("Status: 404 Not Found\n\n", response));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.fields.size(), 0u);
  ASSERT_TRUE(read_cgi_response("status:201\nLocation: /made\n\n", response));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(fields_of(response), "Location=/made;");
  ASSERT_TRUE(read_cgi_response("Location: https://example.org/\n\n", response));
  EXPECT_EQ(response.status, 302);
  ASSERT_TRUE(read_cgi_response("X: y\n\n", response));
  EXPECT_EQ(response.status, 200);
}

TEST(CgiResponse, keeps_framing_and_hop_by_hop_fields_to_itself) {
  CgiResponse response;
  ASSERT_TRUE(
      read_cgi_response("Content-Length: 5\nTransfer-Encoding: chunked\nConnection: close\nKeep-Alive: 1\n"
                        "Upgrade: h2c\nTE: x\nTrailer: y\nProxy-Connection: z\nx-tollgate-error: trap\n"
                        "Set-Cookie: a\nSet-Cookie: b\n\nhello",
                        response));
  EXPECT_EQ(fields_of(response), "Set-Cookie=a;Set-Cookie=b;");
  EXPECT_EQ(response.body, "hello");
}

TEST(CgiResponse, suggests_stdio_when_there_is_no_head) {
  for (const std::string_view output :
       {"", "hello", "hello\nworld\n\n", "<html>\n\n", "\n\nbody", "\r\n\r\n"}) {
    CgiResponse response;
    const auto read = read_cgi_response(output, response);
    ASSERT_FALSE(read) << output;
    EXPECT_NE(read.error().sentence.find("abi = \"stdio\""), std::string_view::npos) << output;
  }
}

TEST(CgiResponse, refuses_malformed_heads) {
  for (const std::string_view output :
       {std::string_view("A: b\nno colon\n\n"), std::string_view("A: b\n: no name\n\n"),
        std::string_view("A: b\n folded\n\n"), std::string_view("A: b\nX y: z\n\n"),
        std::string_view("A: b\rX: y\n\n"), std::string_view("A: b\0c\n\n", 8),
        std::string_view("A: b\x7f\n\n"), std::string_view("A: b\nB: c\n"),
        std::string_view("Status: 99\n\n"), std::string_view("Status: 101\n\n"),
        std::string_view("Status: 600\n\n"), std::string_view("Status: 2000\n\n"),
        std::string_view("Status: ok\n\n"), std::string_view("Status:\n\n"),
        std::string_view("Status: 200\nStatus: 200\n\n"), std::string_view("Location:\n\n"),
        std::string_view("Location: /a\nLocation: /b\n\n"),
        std::string_view("Content-Type: a/b\ncontent-type: c/d\n\n")}) {
    CgiResponse response;
    EXPECT_FALSE(read_cgi_response(output, response)) << output;
  }
}

TEST(CgiResponse, bounds_the_head) {
  CgiResponse response;
  std::string lines;
  for (std::size_t i = 0; i < cgi_fields_max; ++i) lines += "X: y\n";
  EXPECT_TRUE(read_cgi_response(lines + "\n", response));
  EXPECT_FALSE(read_cgi_response(lines + "X: y\n\n", response));
  const std::string just = "X: " + std::string(cgi_head_bytes_max - 5, 'a') + "\n\n";
  EXPECT_TRUE(read_cgi_response(just, response));
  const std::string above = "X: " + std::string(cgi_head_bytes_max - 4, 'a') + "\n\n";
  const auto read = read_cgi_response(above, response);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().sentence.find("larger than"), std::string_view::npos) << read.error().sentence;
}

}  // namespace
}  // namespace tollgate::gateway::abi
