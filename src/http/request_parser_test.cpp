#include "http/request_parser.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "http/request_vectors.hpp"

namespace tollgate::http {
namespace {

using Progress = RequestParser::Progress;

// What came of a request's bytes: "refused 400 malformed", "incomplete", or what was read.
struct Reading {
  std::string outcome;
  std::string body;
  std::size_t consumed = 0;
};

std::string describe(const RequestParser& parser) {
  return "refused " + std::to_string(parser.why().reason->status) + " " +
         std::string(parser.why().reason->word);
}

// Gives the bytes in pieces that end at `cuts` (ascending, the last is the size), each into memory of its
// own.
Reading read_in_pieces(RequestParser& parser, std::string_view bytes, const std::vector<std::size_t>& cuts) {
  Reading reading;
  parser.reset();
  Progress progress = Progress::incomplete;
  std::string head;  // must outlive the views
  std::size_t piece = 0;
  for (; piece < cuts.size() && progress == Progress::incomplete; ++piece) {
    head.assign(bytes.substr(0, cuts[piece]));
    progress = parser.parse_head(head);
  }
  if (progress == Progress::refused) reading.outcome = describe(parser);
  if (progress == Progress::incomplete) reading.outcome = "incomplete";
  if (progress != Progress::complete) return reading;

  const Request& request = parser.request();
  reading.outcome = std::string(request.method_name) + " " + std::string(request.path) + "?" +
                    std::string(request.query) + " @" + std::string(request.authority);
  std::size_t at = parser.head_bytes();
  if (!parser.chunked()) {
    reading.body = bytes.substr(at, *request.content_length);
    reading.consumed = at + reading.body.size();
    return reading;
  }
  --piece;  // its rest may be body already
  Progress body = Progress::incomplete;
  for (; piece < cuts.size() && body == Progress::incomplete; ++piece) {
    std::string some(bytes.substr(at, cuts[piece] - at));
    if (some.empty()) continue;
    const RequestParser::Chunks chunks = parser.parse_chunks(some.data(), some.size());
    reading.body += chunks.content;
    at += chunks.consumed;
    body = chunks.progress;
  }
  if (body == Progress::refused) reading.outcome = describe(parser);
  if (body == Progress::incomplete) reading.outcome = "incomplete body";
  reading.consumed = at;
  return reading;
}

Reading read_whole(std::string_view bytes, const HeadLimits& limits = {}) {
  RequestParser parser(limits);
  return read_in_pieces(parser, bytes, {bytes.size()});
}

std::vector<std::size_t> single_bytes(std::string_view bytes) {
  std::vector<std::size_t> cuts(bytes.size());
  std::iota(cuts.begin(), cuts.end(), 1);
  return cuts;
}

// The reading must be the same whole, byte by byte, and cut at each point.
Reading read_every_way(std::string_view bytes, const HeadLimits& limits = {}) {
  RequestParser parser(limits);
  const Reading whole = read_in_pieces(parser, bytes, {bytes.size()});
  const Reading by_byte = read_in_pieces(parser, bytes, single_bytes(bytes));
  EXPECT_EQ(by_byte.outcome, whole.outcome) << "byte by byte";
  EXPECT_EQ(by_byte.consumed, whole.outcome.starts_with("refused") ? by_byte.consumed : whole.consumed);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const Reading reading = read_in_pieces(parser, bytes, {cut, bytes.size()});
    EXPECT_EQ(reading.outcome, whole.outcome) << "cut after " << cut;
    if (!whole.outcome.starts_with("refused")) {
      EXPECT_EQ(reading.body, whole.body) << "cut after " << cut;
    }
  }
  return whole;
}

class Hostile : public ::testing::TestWithParam<test::HostileRequest> {};

TEST_P(Hostile, request_is_refused_at_every_cut) {
  const Reading reading = read_every_way(GetParam().bytes);
  EXPECT_EQ(reading.outcome.substr(0, 12), "refused " + std::to_string(GetParam().status) + " ")
      << reading.outcome;
}

INSTANTIATE_TEST_SUITE_P(Request, Hostile, ::testing::ValuesIn(test::hostile_requests()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST(RequestParser, reads_a_plain_request) {
  RequestParser parser{HeadLimits{}};
  const std::string bytes =
      "GET /a%20b/c?d=e&f HTTP/1.1\r\nHost: example.org:8080\r\nX-Empty:\r\nAccept: */* \r\n\r\n";
  parser.reset();
  ASSERT_EQ(parser.parse_head(bytes), Progress::complete);
  const Request& request = parser.request();
  EXPECT_EQ(parser.head_bytes(), bytes.size());
  EXPECT_EQ(request.method, Method::get);
  EXPECT_EQ(request.method_name, "GET");
  EXPECT_EQ(request.target, "/a%20b/c?d=e&f");
  EXPECT_EQ(request.path, "/a%20b/c");
  EXPECT_EQ(request.query, "d=e&f");
  EXPECT_EQ(request.authority, "example.org:8080");
  EXPECT_EQ(request.host, "example.org");
  EXPECT_EQ(request.version_minor, 1);
  EXPECT_EQ(request.fields.find("accept"), "*/*");
  EXPECT_EQ(request.fields.find("x-empty"), "");
  EXPECT_EQ(request.content_length, 0u);
  EXPECT_TRUE(parser.keep_alive());
}

TEST(RequestParser, reads_good_requests_the_same_at_every_cut) {
  EXPECT_EQ(read_every_way("GET / HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "GET /? @a");
  EXPECT_EQ(read_every_way("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "GET /? @a");
  EXPECT_EQ(read_every_way("GET / HTTP/1.0\r\n\r\n").outcome, "GET /? @");
  EXPECT_EQ(read_every_way("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "OPTIONS *? @a");
  EXPECT_EQ(read_every_way("PROPFIND /x/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").outcome,
            "PROPFIND /x/? @[::1]:80");
  EXPECT_EQ(read_every_way("GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "GET /p?q @b:81");
  EXPECT_EQ(read_every_way("GET HTTP://b?q HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "GET /?q @b");
  EXPECT_EQ(read_every_way("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n").outcome, "GET /? @b");
  EXPECT_EQ(read_every_way("GET / HTTP/1.1\r\nhOsT: \t a \t\r\n\r\n").outcome, "GET /? @a");
}

TEST(RequestParser, decodes_chunks_the_same_at_every_cut) {
  const std::string head = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
  const std::string chunks = "3\r\nabc\r\n00b;x=y;z=\"q\"\r\nhello world\r\n0\r\n\r\n";
  const std::string next = "GET /next HTTP/1.1\r\n";
  const Reading reading = read_every_way(head + chunks + next);
  EXPECT_EQ(reading.outcome, "POST /p? @a");
  EXPECT_EQ(reading.body, "abchello world");
  EXPECT_EQ(reading.consumed, head.size() + chunks.size());
}

TEST(RequestParser, gives_the_trailers_however_they_were_cut) {
  const std::string bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: abc= "
      "\r\nX-E:\r\n\r\n";
  RequestParser parser{HeadLimits{}};
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const Reading reading = read_in_pieces(parser, bytes, {cut, bytes.size()});
    ASSERT_EQ(reading.outcome, "POST /? @a");
    ASSERT_EQ(parser.trailers().size(), 2u);
    EXPECT_EQ(parser.trailers().find("digest"), "abc=");
    EXPECT_EQ(parser.trailers().find("x-e"), "");
  }
}

TEST(RequestParser, knows_when_the_connection_shall_persist) {
  const auto keeps = [](std::string_view bytes) {
    RequestParser parser{HeadLimits{}};
    EXPECT_EQ(parser.parse_head(bytes), Progress::complete);
    return parser.keep_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
}

TEST(RequestParser, ignores_upgrade) {
  EXPECT_EQ(
      read_every_way("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").outcome,
      "GET /? @a");
  const Reading chunked = read_every_way(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.body, "x");
}

TEST(RequestParser, keeps_an_acceptable_request_id_only) {
  const auto id = [](std::string_view value) {
    RequestParser parser{HeadLimits{}};
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + std::string(value) + "\r\n\r\n";
    EXPECT_EQ(parser.parse_head(bytes), Progress::complete);
    return std::string(parser.client_request_id());
  };
  EXPECT_EQ(id("a-Z_0.9"), "a-Z_0.9");
  EXPECT_EQ(id(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(id(std::string(65, 'x')), "");
  EXPECT_EQ(id("a b"), "");
  EXPECT_EQ(id("a\"b"), "");
  EXPECT_EQ(id(""), "");
}

TEST(RequestParser, ignores_an_expectation_of_http_1_0) {
  EXPECT_EQ(read_whole("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").outcome, "POST /? @");
  EXPECT_EQ(read_whole("POST / HTTP/1.0\r\nExpect: nonsense\r\n\r\n").outcome, "POST /? @");
}

std::string with_target_of(std::size_t bytes) {
  return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(RequestParser, bounds_the_target) {
  const HeadLimits limits{.target_bytes_max = 20};
  EXPECT_EQ(read_every_way(with_target_of(19), limits).outcome.substr(0, 5), "GET /");
  EXPECT_EQ(read_every_way(with_target_of(20), limits).outcome.substr(0, 5), "GET /");
  EXPECT_EQ(read_every_way(with_target_of(21), limits).outcome, "refused 414 uri");
  EXPECT_EQ(read_every_way(with_target_of(200), limits).outcome, "refused 414 uri");
  EXPECT_EQ(read_whole(with_target_of(8192)).outcome.substr(0, 5), "GET /");
  EXPECT_EQ(read_whole(with_target_of(8193)).outcome, "refused 414 uri");
  // A fault behind the limit does not hide it, whichever way the bytes come.
  EXPECT_EQ(read_every_way("GET /" + std::string(19, 'a') + "\x7f HTTP/1.1\r\n", limits).outcome,
            "refused 400 target");
  EXPECT_EQ(read_every_way("GET /" + std::string(20, 'a') + "\x7f HTTP/1.1\r\n", limits).outcome,
            "refused 414 uri");
}

std::string with_section_of(std::size_t bytes) {
  const std::string start = "Host: a\r\nX: ";
  return "GET / HTTP/1.1\r\n" + start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
}

TEST(RequestParser, bounds_the_header_section) {
  const HeadLimits limits{.section_bytes_max = 60};
  EXPECT_EQ(read_every_way(with_section_of(59), limits).outcome, "GET /? @a");
  EXPECT_EQ(read_every_way(with_section_of(60), limits).outcome, "GET /? @a");
  EXPECT_EQ(read_every_way(with_section_of(61), limits).outcome, "refused 431 headers");
  EXPECT_EQ(read_every_way(with_section_of(600), limits).outcome, "refused 431 headers");
  EXPECT_EQ(read_whole(with_section_of(65536)).outcome, "GET /? @a");
  EXPECT_EQ(read_whole(with_section_of(65537)).outcome, "refused 431 headers");
}

std::string with_fields(std::size_t count) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < count; ++i) bytes += "X: y\r\n";
  return bytes + "\r\n";
}

TEST(RequestParser, bounds_the_number_of_fields) {
  const HeadLimits limits{.fields_max = 5};
  EXPECT_EQ(read_every_way(with_fields(5), limits).outcome, "GET /? @a");
  EXPECT_EQ(read_every_way(with_fields(6), limits).outcome, "refused 431 headers");
  EXPECT_EQ(read_whole(with_fields(100)).outcome, "GET /? @a");
  EXPECT_EQ(read_whole(with_fields(101)).outcome, "refused 431 headers");
}

std::string chunked_with(std::string_view chunks) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

TEST(RequestParser, bounds_chunk_lines) {
  const HeadLimits limits{.chunk_line_bytes_max = 16};
  EXPECT_EQ(read_every_way(chunked_with("3;aaaaaaaaaaaa\r\nabc\r\n0\r\n\r\n"), limits).outcome, "POST /? @a");
  EXPECT_EQ(read_every_way(chunked_with("3;aaaaaaaaaaaaa\r\nabc\r\n0\r\n\r\n"), limits).outcome,
            "refused 400 malformed");
  EXPECT_EQ(read_every_way(chunked_with("3\r\nabc\r\n00000000000000000000\r\n\r\n"), limits).outcome,
            "refused 400 malformed");
}

TEST(RequestParser, bounds_chunk_extensions_of_a_message) {
  const HeadLimits limits{.extension_bytes_max = 8};
  EXPECT_EQ(read_every_way(chunked_with("1;abcd\r\nx\r\n1;efgh\r\ny\r\n0\r\n\r\n"), limits).outcome,
            "POST /? @a");
  EXPECT_EQ(read_every_way(chunked_with("1;abcd\r\nx\r\n1;efgh\r\ny\r\n0;i\r\n\r\n"), limits).outcome,
            "refused 400 malformed");
}

TEST(RequestParser, refuses_chunk_extensions_without_a_name_or_a_value_or_quoted_from_the_middle) {
  for (const char* line : {"1;;c=d", "1;", "1;=d", "1;a;", "1;a=b;", "1;a=b;;c", "1;a=", "1;a=;b=c",
                           "1;a=\"b\";;c", "1;a=b\"c\"", "1;a=b\"", "1;a=\"b\"c"}) {
    EXPECT_EQ(read_every_way(chunked_with(std::string(line) + "\r\nx\r\n0\r\n\r\n")).outcome,
              "refused 400 malformed")
        << line;
  }
  for (const char* line : {"1;a", "1;a;b", "1;a=b;c", "1;a=\"\"", "1;a=\"b;;c=\";d=e", "1;a=\"b\\\"c\""}) {
    EXPECT_EQ(read_every_way(chunked_with(std::string(line) + "\r\nx\r\n0;z\r\n\r\n")).outcome, "POST /? @a")
        << line;
  }
}

TEST(RequestParser, bounds_trailers) {
  const HeadLimits limits{.trailer_bytes_max = 8, .trailers_max = 2};
  EXPECT_EQ(read_every_way(chunked_with("0\r\nA: bcd\r\nE: fgh\r\n\r\n"), limits).outcome, "POST /? @a");
  EXPECT_EQ(read_every_way(chunked_with("0\r\nA: bcd\r\nE: fghi\r\n\r\n"), limits).outcome,
            "refused 431 headers");
  EXPECT_EQ(read_every_way(chunked_with("0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"), limits).outcome,
            "refused 431 headers");
}

TEST(RequestParser, refuses_spaces_that_never_end) {
  EXPECT_EQ(read_every_way("GET" + std::string(40, ' ')).outcome, "refused 400 malformed");
  EXPECT_EQ(read_every_way("GET /" + std::string(40, ' ')).outcome, "refused 400 malformed");
  EXPECT_EQ(read_every_way("\r\n\r\n\r\n\r\n").outcome, "refused 400 malformed");
}

}  // namespace
}  // namespace tollgate::http
