// Reads HTTP/1.x responses of an upstream (RFC 9112), strictly: an edge may only pass on what every hop reads
// the same way. The grammar is llhttp's; above it are refused
//   - a second Content-Length even if equal, Content-Length beside Transfer-Encoding,
//   - any Transfer-Encoding but one single `chunked`, any on HTTP/1.0, on 1xx and on 204; Content-Length on
//   1xx,
//   - versions other than 1.0 and 1.1, status codes outside 100..599, 101 (no upgrade is ever asked for),
//   - folded lines, bare CR or LF, control bytes in values and in the reason phrase, bytes before the status
//   line,
//   - heads over client_limits::head_bytes_max or head_fields_max, endless chunk framing.
//
// A refusal comes with the offending byte, however the bytes were cut into pieces. It is final: throw the
// parser's connection away.
#pragma once

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunk_extension.hpp"
#include "http/message.hpp"
#include "http/policy.hpp"

namespace tollgate::http {

enum class ResponseRefusal : std::uint8_t {
  none,
  malformed,        // not HTTP/1.x by its grammar
  version,          // neither HTTP/1.0 nor HTTP/1.1
  status,           // outside 100..599, or 101
  framing,          // its length could be read in more than one way
  transfer_coding,  // a Transfer-Encoding that is not one single chunked
  head_too_large,   // too many bytes or lines before the body
  chunk_framing,    // too many bytes of chunk sizes, extensions and trailers
  truncated,        // the connection ended within the message
};

// One sentence for logs.
std::string_view describe(ResponseRefusal refusal);

class ResponseParser {
 public:
  enum class State : std::uint8_t {
    head,      // the head is not complete
    body,      // the head is complete, the body is not
    complete,  // the message is: what comes next does not belong to it
    refused,
  };

  // What one call of feed() did: `consumed` bytes are done with; `body` is what they held of the body, valid
  // as long as the bytes.
  struct Fed {
    State state;
    std::size_t consumed;
    std::string_view body;
  };

  ResponseParser();
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Makes ready for the response to a request of that method (RFC 9112 section 6.3: none to HEAD has a body),
  // and after an interim response for the next head.
  void start(Method request_method);

  // Reads on. Stops after the head and after the message, so that the rest must be given again. The pieces of
  // a chunked body are moved together inside `bytes`: one call gives one contiguous view.
  Fed feed(std::span<char> bytes);

  // The peer has closed: completes a body delimited by that, else refuses the message as truncated.
  State feed_end();

  State state() const { return state_; }
  ResponseRefusal refusal() const { return refusal_; }

  // Below: valid once the head is complete, until start().
  int status() const { return status_; }
  int version_minor() const { return llhttp_.http_minor; }
  bool is_interim() const { return status_ < 200; }
  const Fields& fields() const { return fields_; }
  // As the field says, also where there is no body (HEAD, 304); nullopt without that field.
  std::optional<std::uint64_t> content_length() const { return framing_.content_length; }
  bool has_body() const { return has_body_; }
  // The framing lets another response follow, and the upstream did not say `Connection: close`.
  bool keeps_connection() const { return keeps_connection_; }
  // Valid once the message is complete.
  const Fields& trailers() const { return trailers_; }

 private:
  struct Callbacks;
  struct Line {  // offsets into text_
    std::size_t name_begin = 0;
    std::size_t value_begin = 0;
    std::size_t value_end = 0;
  };

  int refuse(ResponseRefusal refusal);
  int on_status_text(std::string_view text);
  int on_field_name(std::string_view piece);
  int on_field_value(std::string_view piece);
  int on_field_end();
  int on_head_end();
  int on_body(const char* bytes, std::size_t size);
  void collect(Fields& into);
  ResponseRefusal classify(llhttp_errno error) const;

  llhttp_t llhttp_{};
  State state_ = State::head;
  ResponseRefusal refusal_ = ResponseRefusal::none;
  Method request_method_ = Method::get;
  int status_ = 0;
  std::size_t head_bytes_ = 0;
  bool in_value_ = false;
  MessageFraming framing_;
  ChunkExtensions chunk_extensions_;
  bool has_body_ = false;
  bool ends_with_connection_ = false;
  bool keeps_connection_ = false;

  std::string text_;  // names and values of the section being read (head, then trailers)
  std::string head_text_;
  std::vector<Line> lines_;
  Fields fields_;
  Fields trailers_;

  std::size_t framing_bytes_ = 0;   // since the last byte of body, carried from call to call
  const char* unframed_ = nullptr;  // in feed(): where framing after the last piece of body begins
  char* body_begin_ = nullptr;      // in feed(): the body found so far
  std::size_t body_size_ = 0;
};

}  // namespace tollgate::http
