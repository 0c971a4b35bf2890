// Any bytes, in any pieces: the parser must read the same from them whole and cut, consume no more than it is
// given, and end either refused or with a message whose framing it can account for. The first two bytes of
// the input choose the request method and where to cut.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/response_parser.hpp"

namespace {

using tollgate::http::Method;
using tollgate::http::ResponseParser;
using State = ResponseParser::State;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Reading {
  State state = State::head;
  int status = 0;
  std::string body;
  std::size_t consumed = 0;
};

Reading read(std::string bytes, std::size_t piece_bytes, Method method) {
  ResponseParser parser;
  parser.start(method);
  Reading reading;
  std::size_t at = 0;
  while (at < bytes.size() && reading.state != State::complete && reading.state != State::refused) {
    const std::span<char> piece(bytes.data() + at, std::min(piece_bytes, bytes.size() - at));
    const ResponseParser::Fed fed = parser.feed(piece);
    require(fed.consumed <= piece.size());
    require(fed.body.size() <= fed.consumed);
    require(fed.consumed > 0 || fed.state == State::refused);
    reading.state = fed.state;
    reading.body += fed.body;
    reading.consumed += fed.consumed;
    at += fed.consumed;
  }
  reading.status = parser.status();
  if (reading.state == State::complete && parser.has_body() && parser.content_length()) {
    require(*parser.content_length() == reading.body.size());
  }
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Method method = data[0] % 4 == 0 ? Method::head : Method::get;
  const std::size_t piece_bytes = 1 + data[1] % 32;
  const std::string bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  const Reading whole = read(bytes, bytes.size() + 1, method);
  const Reading cut = read(bytes, piece_bytes, method);
  require(whole.state == cut.state);
  if (whole.state == State::refused) return 0;
  require(whole.status == cut.status);
  require(whole.body == cut.body);
  require(whole.consumed == cut.consumed);
  return 0;
}
