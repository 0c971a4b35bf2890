// The table of tests that look at whose table answers: the old one or the new one.
#pragma once

#include <fmt/format.h>

#include <string>

namespace tollgate::testing {

// One route, /answer, that says `body`. `more` are further routes.
inline std::string answer_table(const std::string& body, int workers = 2, const std::string& more = {}) {
  return fmt::format(R"(
listen = "127.0.0.1:0"
workers = {}
[[route]]
path = "/answer"
respond = {{ status = 200, body = "{}" }}
{})",
                     workers, body, more);
}

}  // namespace tollgate::testing
