// What this edge refuses although a parser somewhere would accept it, in one table.
//
// The rule behind the rules: an edge may only pass what every hop behind it reads the same way. llhttp
// refuses what the grammar of RFC 9112 forbids (rows `grammar`, `chunk_grammar`); the other rows are ours,
// checked in request_parser.cpp and target.cpp at the byte that decides, however the bytes were cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/reason.hpp"

namespace tollgate::http {

enum class Rule : std::uint8_t {
  grammar,
  unknown_method,
  connect_method,
  request_line_spacing,
  leading_bytes,
  version_missing,
  version_unsupported,
  target_too_long,
  target_form,
  target_bytes,
  target_fragment,
  target_escape,
  target_dot_segment,
  target_empty_segment,
  target_encoded_separator,
  target_userinfo,
  section_too_large,
  too_many_fields,
  host_missing,
  host_repeated,
  host_invalid,
  content_length_invalid,
  content_length_repeated,
  transfer_encoding_invalid,
  transfer_encoding_unknown,
  transfer_encoding_repeated,
  transfer_encoding_with_length,
  transfer_encoding_in_1_0,
  expectation_unknown,
  chunk_grammar,
  chunk_line_too_long,
  chunk_extensions_too_large,
  trailers_too_large,
  trailer_forbidden,
};

// One row: what is refused, with which answer, on whose word.
struct Refusal {
  Rule rule;
  const Reason* reason;
  std::string_view rfc;
  std::string_view what;
};

const Refusal& refusal(Rule rule);

// RFC 9110 section 7.2: uri-host [":" port]. A name of letters, digits, '-', '.', '_', '~', or a bracketed
// IPv6 address without a zone; port 1-65535 when there is a colon. No lists, user information, paths or
// escapes.
struct Authority {
  std::string_view host;  // IPv6 with its brackets
  std::optional<std::uint16_t> port;
};
std::optional<Authority> parse_authority(std::string_view text);

// RFC 9110 section 8.6: 1*DIGIT that fits 63 bits; one leading form only (no sign, no list).
std::optional<std::uint64_t> parse_content_length(std::string_view text);

// What a Transfer-Encoding line means to us (RFC 9112 section 6.1).
enum class TransferEncoding : std::uint8_t { chunked, unknown, invalid };
TransferEncoding parse_transfer_encoding(std::string_view text);

// The fields that frame a message, request or response, as they come: at most one of them, once.
struct MessageFraming {
  std::optional<std::uint64_t> content_length;
  bool transfer_encoding = false;  // chunked

  // Each gives the rule that a field with this value breaks.
  std::optional<Rule> add_content_length(std::string_view value);
  std::optional<Rule> add_transfer_encoding(std::string_view value, int version_minor);
};

// x-request-id of a client is kept when it is 1-64 of [A-Za-z0-9._-].
bool acceptable_request_id(std::string_view text);

}  // namespace tollgate::http
