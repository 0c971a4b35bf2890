// Request reading against any bytes: nothing is read past the end, the answer does not depend on how the
// bytes were cut, and whatever we accept a second parser (Boost.Beast's) accepts too, with the same method,
// target and body.
//
// Where Beast may differ: it refuses heads of more than its own 8 KiB default unless told, so the limit is
// lifted; it joins obs-fold and treats unknown codings as no body, which we refuse beforehand; and it does
// not skip the one CRLF that RFC 9112 section 2.2 allows before a request line, so that is cut off. It also
// checks the grammar of Connection, Proxy-Connection and Upgrade, none of which leaves this hop or frames
// anything.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "http/request_parser.hpp"

namespace {

using tollgate::http::HeadLimits;
using tollgate::http::RequestParser;
using Progress = RequestParser::Progress;

struct Reading {
  Progress progress = Progress::incomplete;
  int status = 0;
  std::string method;
  std::string target;
  std::string body;
  std::size_t consumed = 0;
  bool names_a_connection_field = false;
};

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "request_fuzz: %s\n", what);
  std::abort();
}

// `second` > 0 cuts the bytes there, so that the head or the body arrives in two pieces.
Reading read(RequestParser& parser, const std::string& bytes, std::size_t second) {
  Reading reading;
  parser.reset();
  std::vector<char> head(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(second));
  std::size_t arrived = second;
  reading.progress = parser.parse_head({head.data(), head.size()});
  if (reading.progress == Progress::incomplete && second < bytes.size()) {
    head.assign(bytes.begin(), bytes.end());
    arrived = bytes.size();
    reading.progress = parser.parse_head({head.data(), head.size()});
  }
  if (reading.progress == Progress::refused) reading.status = parser.why().reason->status;
  if (reading.progress != Progress::complete) return reading;

  reading.method = parser.request().method_name;
  reading.target = parser.request().target;
  reading.consumed = parser.head_bytes();
  for (const char* name : {"connection", "proxy-connection", "upgrade"}) {
    if (parser.request().fields.find(name)) reading.names_a_connection_field = true;
  }
  if (!parser.chunked()) {
    const std::uint64_t length = *parser.request().content_length;
    if (bytes.size() - reading.consumed < length) {
      reading.progress = Progress::incomplete;
      return reading;
    }
    reading.body = bytes.substr(reading.consumed, length);
    reading.consumed += length;
    return reading;
  }
  for (reading.progress = Progress::incomplete; reading.progress == Progress::incomplete;) {
    std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(reading.consumed),
                            bytes.begin() + static_cast<std::ptrdiff_t>(arrived));
    const RequestParser::Chunks chunks = parser.parse_chunks(piece.data(), piece.size());
    reading.progress = chunks.progress;
    reading.body.append(chunks.content);
    reading.consumed += chunks.consumed;
    if (arrived == bytes.size()) break;
    arrived = bytes.size();
  }
  if (reading.progress == Progress::refused) reading.status = parser.why().reason->status;
  return reading;
}

void agrees_with_beast(const Reading& ours, const std::string& bytes) {
  namespace beast = boost::beast::http;
  beast::request_parser<beast::string_body> parser;
  parser.header_limit(1 << 20);
  parser.body_limit(boost::none);
  parser.eager(true);
  const std::size_t begin = bytes.starts_with("\r\n") ? 2 : 0;
  std::size_t at = begin;
  boost::beast::error_code error;
  while (!parser.is_done() && at < ours.consumed && !error) {
    const std::size_t used = parser.put(boost::asio::buffer(bytes.data() + at, ours.consumed - at), error);
    if (used == 0) break;
    at += used;
  }
  if (error == beast::error::bad_value && ours.names_a_connection_field) return;  // see above
  check(!error, "accepted what Beast refuses");
  check(parser.is_done(), "complete for us, not for Beast");
  check(at == ours.consumed, "the message ends elsewhere for Beast");
  check(std::string_view(parser.get().method_string().data(), parser.get().method_string().size()) ==
            ours.method,
        "another method");
  const std::string target(parser.get().target());
  const bool absolute = !target.starts_with('/') && target != "*";  // we give its origin-form
  check(absolute || target == ours.target, "another target");
  check(parser.get().body() == ours.body, "another body");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  RequestParser parser{HeadLimits{}};
  const Reading whole = read(parser, bytes, bytes.size());
  // A few cuts stand for all of them; which ones depends on the input, so that fuzzing finds the rest.
  for (const std::size_t cut :
       {std::size_t{1}, bytes.size() / 2, static_cast<std::size_t>(data[size / 2]) % bytes.size()}) {
    if (cut == 0) continue;
    const Reading in_two = read(parser, bytes, cut);
    check(in_two.progress == whole.progress, "the outcome depends on the cut");
    check(in_two.status == whole.status, "the status depends on the cut");
    check(whole.progress == Progress::refused || in_two.body == whole.body, "the body depends on the cut");
  }
  if (whole.progress == Progress::complete) agrees_with_beast(whole, bytes);
  return 0;
}
