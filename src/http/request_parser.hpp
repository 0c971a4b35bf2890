// Reads HTTP/1.x requests (RFC 9112) with llhttp and the policy of http/policy.hpp above it.
//
// The caller owns the bytes. A head is given from its first byte, as much of it as has arrived; bytes already
// seen are not parsed again, and the memory may have moved in between. When the head is complete, request()
// holds views into the bytes of that last call. A chunked body is decoded in place, piece by piece.
//
// The answer does not depend on how the bytes were cut. In steady state nothing is allocated. Not copyable:
// llhttp points back here.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked_body.hpp"
#include "http/field_line.hpp"
#include "http/limits.hpp"
#include "http/message.hpp"
#include "http/policy.hpp"

namespace tollgate::http {

class RequestParser {
 public:
  enum class Progress : std::uint8_t { incomplete, complete, refused };

  explicit RequestParser(const HeadLimits& limits);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Before each request.
  void reset();

  Progress parse_head(std::string_view bytes);

  // After `complete`.
  std::size_t head_bytes() const { return head_bytes_; }
  Request& request() { return request_; }
  bool chunked() const { return !request_.content_length; }
  bool keep_alive() const { return keep_alive_; }  // as the client asks (RFC 9112 section 9.3)
  bool expects_continue() const { return head_.expects_continue; }           // RFC 9110 section 10.1.1
  std::string_view client_request_id() const { return client_request_id_; }  // acceptable, or empty

  // Decodes what has arrived of a chunked body, in place: `content` lies somewhere in `bytes`. All of `bytes`
  // are used up, or `consumed` of them when the body is complete.
  struct Chunks {
    Progress progress = Progress::incomplete;
    std::size_t consumed = 0;
    std::string_view content;
  };
  Chunks parse_chunks(char* bytes, std::size_t size);

  // After the end of a chunked body.
  const Fields& trailers() const { return body_.trailers(); }

  // After `refused`.
  const Refusal& why() const { return *refusal_; }
  // The client's acceptable request id, if it came before what was refused. In the bytes given last.
  std::string_view refused_request_id() const { return head_.request_id.in(base_); }

  // As far as the head was read.
  bool method_is_head() const { return !head_.method.empty() && parser_.method == HTTP_HEAD; }

 private:
  // What is known of the head so far; all of it starts anew with each request.
  struct Head {
    std::size_t parsed = 0;
    Span method, target, protocol;
    std::size_t section_begin = 0;  // first byte after the request line; 0 while in it
    bool in_value = false;
    bool done = false;
    bool host = false;
    MessageFraming framing;
    bool expects_continue = false;
    bool connection = false;
    Span request_id;
  };
  struct Callbacks;  // llhttp's settings, calling the members below and those of body_

  int refuse(Rule rule);
  int check(std::optional<Rule> broken) { return broken ? refuse(*broken) : 0; }
  Rule rule_of(llhttp_errno error, const char* at) const;
  Rule limits_first(Rule rule, std::size_t offset) const;
  std::optional<Rule> check_leading(std::string_view bytes) const;
  std::optional<Rule> check_unfinished(std::string_view bytes) const;
  void extend(Span& span, const char* at, std::size_t size) const;

  int on_method_complete();
  int on_target(const char* at, std::size_t size);
  int on_protocol(const char* at, std::size_t size);
  int on_version(const char* at, std::size_t size);
  int on_version_complete();
  int on_name(const char* at, std::size_t size);
  int on_value(const char* at, std::size_t size);
  int on_value_complete();
  int on_head_complete();

  int check_field(const FieldLine& line);
  std::optional<Rule> finish_head();

  HeadLimits limits_;
  llhttp_t parser_{};
  const Refusal* refusal_ = nullptr;
  const char* base_ = nullptr;  // the bytes of the current call
  Head head_;
  std::vector<FieldLine> lines_;
  ChunkedBody body_;

  Request request_;
  std::size_t head_bytes_ = 0;
  bool keep_alive_ = false;
  std::string target_scratch_;
  std::string_view client_request_id_;
};

}  // namespace tollgate::http
