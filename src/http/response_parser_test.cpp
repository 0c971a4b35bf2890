#include "http/response_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "http/client_limits.hpp"

namespace tollgate::http {
namespace {

using State = ResponseParser::State;

// What a parser made of a byte stream; equal for every way of cutting it.
struct Reading {
  State state = State::head;
  ResponseRefusal refusal = ResponseRefusal::none;
  int status = 0;
  std::vector<std::string> fields;
  std::string body;
  std::vector<std::string> trailers;
  std::size_t consumed = 0;
  bool keeps_connection = false;

  bool operator==(const Reading&) const = default;
};

std::vector<std::string> lines_of(const Fields& fields) {
  std::vector<std::string> lines;
  for (const Field& field : fields) lines.push_back(std::string(field.name) + "=" + std::string(field.value));
  return lines;
}

class Reader {
 public:
  explicit Reader(Method method) { parser_.start(method); }

  void take(std::string piece) {
    std::span<char> rest(piece);
    while (!rest.empty() && reading_.state != State::complete && reading_.state != State::refused) {
      const ResponseParser::Fed fed = parser_.feed(rest);
      if (reading_.state == State::head && (fed.state == State::body || fed.state == State::complete)) {
        reading_.status = parser_.status();
        reading_.fields = lines_of(parser_.fields());
        reading_.keeps_connection = parser_.keeps_connection();
      }
      reading_.body += fed.body;
      reading_.consumed += fed.consumed;
      reading_.state = fed.state;
      reading_.refusal = parser_.refusal();
      rest = rest.subspan(fed.consumed);
      if (fed.state == State::complete) reading_.trailers = lines_of(parser_.trailers());
    }
  }

  Reading end() {
    reading_.state = parser_.feed_end();
    reading_.refusal = parser_.refusal();
    return reading_;
  }
  const Reading& so_far() const { return reading_; }

 private:
  ResponseParser parser_;
  Reading reading_;
};

enum class Then { open, closed };

Reading read_cut(const std::string& bytes, const std::vector<std::size_t>& cuts, Method method, Then then) {
  Reader reader(method);
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    reader.take(bytes.substr(from, cut - from));
    from = cut;
  }
  reader.take(bytes.substr(from));
  return then == Then::closed ? reader.end() : reader.so_far();
}

// Reads `bytes` whole, byte by byte and cut in two at every place, and expects the same of all.
Reading read_every_way(const std::string& bytes, Method method = Method::get, Then then = Then::open) {
  const Reading whole = read_cut(bytes, {}, method, then);
  std::vector<std::size_t> everywhere;
  for (std::size_t i = 1; i < bytes.size(); ++i) everywhere.push_back(i);
  Reading single = read_cut(bytes, everywhere, method, then);
  const bool refused = whole.state == State::refused;
  const auto comparable = [refused, &whole](Reading reading) {
    if (refused) {  // the body bytes seen before a refusal depend on the cut, the refusal does not
      reading.body = whole.body;
      EXPECT_NEAR(static_cast<double>(reading.consumed), static_cast<double>(whole.consumed), 2);
      reading.consumed = whole.consumed;
    }
    return reading;
  };
  EXPECT_EQ(comparable(single), whole) << "byte by byte: " << bytes;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    EXPECT_EQ(comparable(read_cut(bytes, {i}, method, then)), whole) << "cut at " << i << ": " << bytes;
  }
  return whole;
}

TEST(ResponseParser, reads_a_response_with_a_content_length) {
  const Reading reading = read_every_way("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \t\r\n\r\nhello");
  EXPECT_EQ(reading.state, State::complete);
  EXPECT_EQ(reading.status, 200);
  EXPECT_THAT(reading.fields, testing::ElementsAre("Content-Length=5", "X-A=b"));
  EXPECT_EQ(reading.body, "hello");
  EXPECT_TRUE(reading.keeps_connection);
}

TEST(ResponseParser, leaves_what_follows_the_message_alone) {
  const std::string message = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const Reading reading = read_every_way(message + "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(reading.state, State::complete);
  EXPECT_EQ(reading.consumed, message.size());
}

TEST(ResponseParser, reads_chunks_as_one_body_with_trailers) {
  const Reading reading = read_every_way(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n1;e=\"x\"\r\nd\r\n0A\r\n0123456789\r\n"
      "0\r\nX-Sum: 1\r\nX-Empty:\r\n\r\n");
  EXPECT_EQ(reading.state, State::complete);
  EXPECT_EQ(reading.body, "abcd0123456789");
  EXPECT_THAT(reading.trailers, testing::ElementsAre("X-Sum=1", "X-Empty="));
  EXPECT_TRUE(reading.keeps_connection);
}

TEST(ResponseParser, reads_to_the_end_of_the_connection_without_a_length) {
  for (const std::string version : {"1.0", "1.1"}) {
    const Reading reading =
        read_every_way("HTTP/" + version + " 200 OK\r\n\r\nall of it", Method::get, Then::closed);
    EXPECT_EQ(reading.state, State::complete);
    EXPECT_EQ(reading.body, "all of it");
    EXPECT_FALSE(reading.keeps_connection);
  }
}

TEST(ResponseParser, does_not_keep_connections_that_the_upstream_closes) {
  EXPECT_FALSE(read_every_way("HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n")
                   .keeps_connection);
  EXPECT_FALSE(read_every_way("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keeps_connection);
  EXPECT_TRUE(read_every_way("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
                  .keeps_connection);
}

TEST(ResponseParser, knows_responses_that_never_have_a_body) {
  const std::string with_length = "Content-Length: 5\r\n\r\n";
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\n" + with_length, Method::head).state, State::complete);
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::head).state,
            State::complete);
  EXPECT_EQ(read_every_way("HTTP/1.1 200 OK\r\n\r\n", Method::head).state, State::complete);
  EXPECT_EQ(read_every_way("HTTP/1.1 304 Not Modified\r\n" + with_length).state, State::complete);
  EXPECT_EQ(read_every_way("HTTP/1.1 204 No Content\r\n\r\n").state, State::complete);
  const std::string no_content = "HTTP/1.1 204 No Content\r\n" + with_length;
  EXPECT_EQ(read_every_way(no_content + "hello").consumed, no_content.size());
}

TEST(ResponseParser, reads_interim_responses_one_by_one) {
  std::string bytes =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  ResponseParser parser;
  parser.start(Method::get);
  const auto first = parser.feed(bytes);
  EXPECT_EQ(first.state, State::complete);
  EXPECT_TRUE(parser.is_interim());
  EXPECT_EQ(parser.fields().find("link"), "</a>");
  parser.start(Method::get);
  const auto second = parser.feed(std::span(bytes).subspan(first.consumed));
  EXPECT_EQ(second.state, State::body);
  EXPECT_EQ(parser.status(), 200);
}

TEST(ResponseParser, accepts_a_status_line_without_a_reason) {
  EXPECT_EQ(read_every_way("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").status, 200);
  EXPECT_EQ(read_every_way("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").status, 200);
}

TEST(ResponseParser, counts_a_truncated_message_as_refused) {
  for (const std::string bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 200 OK\r\nContent-Le", "H",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"}) {
    EXPECT_EQ(read_every_way(bytes, Method::get, Then::closed).refusal, ResponseRefusal::truncated) << bytes;
  }
}

struct Hostile {
  std::string name;
  std::string bytes;
};

class HostileResponse : public testing::TestWithParam<Hostile> {};

// None of these may be read as anything, whatever way they are cut; nor may they wait for more.
TEST_P(HostileResponse, is_refused_however_it_is_cut) {
  const Reading reading = read_every_way(GetParam().bytes);
  EXPECT_EQ(reading.state, State::refused) << "status " << reading.status << " body " << reading.body;
}

std::string ok(const std::string& fields_and_body) {
  return "HTTP/1.1 200 OK\r\n" + fields_and_body;
}
const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Vectors, HostileResponse,
    testing::Values(
        Hostile{"not_http", "SSH-2.0-OpenSSH_9.2\r\n"},
        Hostile{"empty_line_first", "\r\nHTTP/1.1 200 OK\r\n\r\n"},
        Hostile{"newline_first", "\nHTTP/1.1 200 OK\r\n\r\n"},
        Hostile{"space_first", " HTTP/1.1 200 OK\r\n\r\n"},
        Hostile{"lower_case_http", "http/1.1 200 OK\r\n\r\n"},
        Hostile{"version_0_9", "HTTP/0.9 200 OK\r\n\r\n"}, Hostile{"version_2_0", "HTTP/2.0 200 OK\r\n\r\n"},
        Hostile{"version_1_2", "HTTP/1.2 200 OK\r\n\r\n"},
        Hostile{"version_long", "HTTP/1.10 200 OK\r\n\r\n"},
        Hostile{"version_short", "HTTP/1 200 OK\r\n\r\n"}, Hostile{"two_spaces", "HTTP/1.1  200 OK\r\n\r\n"},
        Hostile{"tab_for_space", "HTTP/1.1\t200 OK\r\n\r\n"},
        Hostile{"status_two_digits", "HTTP/1.1 20 OK\r\n\r\n"},
        Hostile{"status_four_digits", "HTTP/1.1 2000 OK\r\n\r\n"},
        Hostile{"status_letters", "HTTP/1.1 abc OK\r\n\r\n"},
        Hostile{"status_sign", "HTTP/1.1 +20 OK\r\n\r\n"}, Hostile{"status_zero", "HTTP/1.1 000 OK\r\n\r\n"},
        Hostile{"status_99", "HTTP/1.1 099 OK\r\n\r\n"}, Hostile{"status_600", "HTTP/1.1 600 OK\r\n\r\n"},
        Hostile{"status_101", "HTTP/1.1 101 Switching\r\n\r\n"},
        Hostile{"reason_control", "HTTP/1.1 200 O\x01K\r\n\r\n"},
        Hostile{"reason_nul", std::string("HTTP/1.1 200 O\0K\r\n\r\n", 20)},
        Hostile{"status_line_bare_lf", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},
        Hostile{"status_line_bare_cr", "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n"},
        Hostile{"field_bare_lf", ok("A: b\nContent-Length: 0\r\n\r\n")},
        Hostile{"field_bare_cr", ok("A: b\rContent-Length: 0\r\n\r\n")},
        Hostile{"head_end_bare_lf", ok("Content-Length: 0\r\n\n")},
        Hostile{"obs_fold", ok("A: b\r\n c\r\nContent-Length: 0\r\n\r\n")},
        Hostile{"obs_fold_tab", ok("A: b\r\n\tc\r\nContent-Length: 0\r\n\r\n")},
        Hostile{"fold_in_first_line", ok(" A: b\r\n\r\n")},
        Hostile{"space_before_colon", ok("Content-Length : 0\r\n\r\n")},
        Hostile{"no_colon", ok("Content-Length 0\r\n\r\n")}, Hostile{"empty_name", ok(": b\r\n\r\n")},
        Hostile{"name_not_a_token", ok("A(b): c\r\n\r\n")},
        Hostile{"value_nul", ok(std::string("A: b\0c\r\n\r\n", 10))},
        Hostile{"value_control", ok("A: b\x02\r\n\r\n")}, Hostile{"value_delete", ok("A: b\x7f\r\n\r\n")},
        Hostile{"two_lengths", ok("Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")},
        Hostile{"two_equal_lengths", ok("Content-Length: 1\r\nContent-Length: 1\r\n\r\nx")},
        Hostile{"length_list", ok("Content-Length: 1, 1\r\n\r\nx")},
        Hostile{"length_plus", ok("Content-Length: +1\r\n\r\nx")},
        Hostile{"length_minus", ok("Content-Length: -1\r\n\r\nx")},
        Hostile{"length_hex", ok("Content-Length: 0x1\r\n\r\nx")},
        Hostile{"length_space", ok("Content-Length: 1 1\r\n\r\nx")},
        Hostile{"length_empty", ok("Content-Length:\r\n\r\nx")},
        Hostile{"length_overflow", ok("Content-Length: 18446744073709551617\r\n\r\nx")},
        Hostile{"length_then_coding", ok("Content-Length: 1\r\n" + chunked + "0\r\n\r\n")},
        Hostile{"coding_then_length", ok("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n")},
        Hostile{"coding_gzip", ok("Transfer-Encoding: gzip\r\n\r\n")},
        Hostile{"coding_gzip_chunked", ok("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")},
        Hostile{"coding_identity", ok("Transfer-Encoding: identity\r\n\r\n")},
        Hostile{"coding_twice", ok("Transfer-Encoding: chunked\r\n" + chunked + "0\r\n\r\n")},
        Hostile{"coding_list", ok("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")},
        Hostile{"coding_empty", ok("Transfer-Encoding:\r\n\r\n")},
        Hostile{"coding_quoted", ok("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n")},
        Hostile{"coding_on_1_0", "HTTP/1.0 200 OK\r\n" + chunked + "0\r\n\r\n"},
        Hostile{"coding_on_204", "HTTP/1.1 204 No\r\n" + chunked},
        Hostile{"coding_on_103", "HTTP/1.1 103 Hi\r\n" + chunked},
        Hostile{"length_on_100", "HTTP/1.1 100 Go\r\nContent-Length: 0\r\n\r\n"},
        Hostile{"chunk_plus", ok(chunked + "+1\r\nx\r\n")},
        Hostile{"chunk_minus", ok(chunked + "-1\r\nx\r\n")},
        Hostile{"chunk_hex_prefix", ok(chunked + "0x1\r\nx\r\n")},
        Hostile{"chunk_space_first", ok(chunked + " 1\r\nx\r\n")},
        Hostile{"chunk_space_after", ok(chunked + "1 \r\nx\r\n")},
        Hostile{"chunk_empty", ok(chunked + "\r\nx\r\n")},
        Hostile{"chunk_overflow", ok(chunked + "10000000000000001\r\nx\r\n")},
        Hostile{"chunk_bare_lf", ok(chunked + "1\nx\r\n")},
        Hostile{"chunk_data_bare_lf", ok(chunked + "1\r\nx\n0\r\n\r\n")},
        Hostile{"chunk_too_long", ok(chunked + "1\r\nxy\r\n0\r\n\r\n")},
        Hostile{"chunk_extension_bare_lf", ok(chunked + "1;a=b\nx\r\n")},
        Hostile{"chunk_extension_empty_name", ok(chunked + "1;;c=d\r\nx\r\n")},
        Hostile{"chunk_extension_only_value", ok(chunked + "1;=d\r\nx\r\n")},
        Hostile{"chunk_extension_empty_value", ok(chunked + "1;a=\r\nx\r\n")},
        Hostile{"chunk_extension_empty_last", ok(chunked + "1;a=\"b\";\r\nx\r\n")},
        Hostile{"chunk_extension_quoted_middle", ok(chunked + "1;a=b\"c\"\r\nx\r\n")},
        Hostile{"trailer_length", ok(chunked + "0\r\nContent-Length: 3\r\n\r\n")},
        Hostile{"trailer_coding", ok(chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n")},
        Hostile{"trailer_fold", ok(chunked + "0\r\nA: b\r\n c\r\n\r\n")},
        Hostile{"trailer_bare_lf", ok(chunked + "0\r\nA: b\n\r\n")},
        Hostile{"trailer_end_bare_lf", ok(chunked + "0\r\n\n")}),
    [](const auto& vector) { return vector.param.name; });

std::string head_of_size(std::size_t bytes) {
  std::string head = ok("Content-Length: 0\r\nX: ");
  head.append(bytes - head.size() - 4, 'x');
  return head + "\r\n\r\n";
}

TEST(ResponseParser, bounds_the_bytes_of_the_head) {
  using client_limits::head_bytes_max;
  EXPECT_EQ(read_cut(head_of_size(head_bytes_max), {}, Method::get, Then::open).state, State::complete);
  const std::string more = head_of_size(head_bytes_max + 1);
  for (const std::vector<std::size_t>& cuts :
       std::vector<std::vector<std::size_t>>{{}, {1}, {1000}, {head_bytes_max}}) {
    const Reading reading = read_cut(more, cuts, Method::get, Then::open);
    EXPECT_EQ(reading.refusal, ResponseRefusal::head_too_large);
    EXPECT_EQ(reading.consumed, head_bytes_max);
  }
}

TEST(ResponseParser, bounds_the_lines_of_the_head) {
  std::string head = ok("Content-Length: 0\r\n");
  for (std::size_t i = 1; i < client_limits::head_fields_max; ++i) head += "A: b\r\n";
  EXPECT_EQ(read_cut(head + "\r\n", {}, Method::get, Then::open).state, State::complete);
  EXPECT_EQ(read_cut(head + "A: b\r\n\r\n", {}, Method::get, Then::open).refusal,
            ResponseRefusal::head_too_large);
}

TEST(ResponseParser, bounds_chunk_framing_without_body) {
  const std::size_t too_many = client_limits::chunk_framing_bytes_max + 1;
  for (const std::string& framing : {std::string(too_many, '0'), "1;" + std::string(too_many, 'e'),
                                     "0\r\nA: " + std::string(too_many, 't')}) {
    const std::string bytes = ok(chunked + framing);
    EXPECT_EQ(read_cut(bytes, {}, Method::get, Then::open).refusal, ResponseRefusal::chunk_framing);
    EXPECT_EQ(read_cut(bytes, {100, 9000}, Method::get, Then::open).refusal, ResponseRefusal::chunk_framing);
  }
  std::string many_chunks = ok(chunked);
  for (int i = 0; i < 10000; ++i) many_chunks += "1\r\nx\r\n";
  EXPECT_EQ(read_cut(many_chunks + "0\r\n\r\n", {}, Method::get, Then::open).state, State::complete);
}

}  // namespace
}  // namespace tollgate::http
