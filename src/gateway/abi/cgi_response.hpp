// What a CGI guest wrote to stdout, read as a response (RFC 3875 section 6): a head of fields ended by an
// empty line, then the body. Lines end with LF or CRLF.
#pragma once

#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "http/message.hpp"

namespace tollgate::gateway::abi {

// Of a head. A guest that writes more is a guest gone wrong.
inline constexpr std::size_t cgi_head_bytes_max = 64 * 1024;
inline constexpr std::size_t cgi_fields_max = 128;

struct CgiResponse {
  int status = 200;                 // 302 when there is a Location and no Status
  std::vector<http::Field> fields;  // without Status, framing, hop-by-hop fields and x-tollgate-error
  std::string_view body;
};

// Why output is no CGI response: one sentence for the log and the answer. Static storage.
struct CgiFault {
  std::string_view sentence;
};

// Reads `output`, into which the views of `response` then point; `response` is reused without allocating.
expected<void, CgiFault> read_cgi_response(std::string_view output, CgiResponse& response);

}  // namespace tollgate::gateway::abi
