// The grammar of fields, and which of them belong to a connection and not to a message. Shared by the server
// side, the upstream client and whoever takes fields from a guest or a configuration.
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

// RFC 9110 section 5.6.2, what names consist of; false for the empty text.
bool is_token(std::string_view text);

// RFC 9110 section 5.5: no control bytes (CR, LF and NUL among them) but HTAB.
bool is_field_value(std::string_view text);

// Both hold for name and value. What is not writable is never written.
bool is_writable(const Field& field);

// Without the blanks (SP, HTAB) at its ends.
std::string_view trimmed(std::string_view text);

// Whether a list (RFC 9110 section 5.6.1, without parameters) has this element, in any case.
bool list_has(std::string_view list, std::string_view element);

}  // namespace tollgate::http
