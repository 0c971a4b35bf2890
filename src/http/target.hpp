// The request target (RFC 9112 section 3.2) and the one form of a path.
//
// A path that is accepted has one reading: it is matched, split into SCRIPT_NAME and PATH_INFO and sent
// upstream exactly as received, still percent-encoded. What could be read in two ways is refused instead of
// rewritten: dot segments (also as %2e), empty segments, encoded separators (%2f, %5c), backslashes, %00, a
// '%' without two hexadecimal digits, fragments, and bytes that RFC 3986 section 3.3 does not allow in a
// path. A query may carry any visible ASCII but '#' (browsers send '{', '|' and '"' there), with whole
// escapes.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "http/message.hpp"
#include "http/policy.hpp"

namespace tollgate::http {

struct Target {
  std::string_view origin;  // "/path?query" or "*"
  std::string_view path;
  std::string_view query;
  std::string_view authority;  // of an absolute-form; empty otherwise
};

// Views point into `text`, or into `scratch` for an absolute-form without a path but with a query, the only
// one whose origin-form is not a part of it.
expected<Target, Rule> parse_target(std::string_view text, Method method, std::string& scratch);

}  // namespace tollgate::http
