// Which fields belong to a connection and not to a message, and what may be written into one. Shared by the
// server side and the upstream client.
#pragma once

#include <span>
#include <string_view>

#include "http/message.hpp"

namespace tollgate::http {

// RFC 9110 section 7.6.1, with Content-Length: the fields each hop computes anew. Fields that a Connection
// line names are hop-by-hop too: see named_by_connection.
bool is_framing_or_hop_by_hop(std::string_view name);

// Whether a Connection line of `fields` names this field (RFC 9110 section 7.6.1).
bool named_by_connection(const Fields& fields, std::string_view name);

// RFC 9110 section 5: a token, and a value without CR, LF, NUL and other control bytes. What is not is never
// written.
bool is_writable(const Field& field);

}  // namespace tollgate::http
