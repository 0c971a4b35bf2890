#include "gateway/abi/cgi_request.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "http/field_policy.hpp"

namespace tollgate::gateway::abi {
namespace {

constexpr std::string_view meta_variables[] = {
    "AUTH_TYPE",       "CONTENT_LENGTH", "CONTENT_TYPE",    "GATEWAY_INTERFACE", "PATH_INFO",
    "PATH_TRANSLATED", "QUERY_STRING",   "REMOTE_ADDR",     "REMOTE_HOST",       "REMOTE_USER",
    "REQUEST_METHOD",  "SCRIPT_NAME",    "SERVER_NAME",     "SERVER_PORT",       "SERVER_PROTOCOL",
    "SERVER_SOFTWARE", "X_FULL_URL",     "X_MATCHED_ROUTE", "X_RAW_PATH_INFO"};

std::optional<char> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<char>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<char>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<char>(c - 'A' + 10);
  return std::nullopt;
}

// Percent-decodes. What is no valid escape stays as it is, and so does %00: these strings end with a NUL.
void append_decoded(std::string& to, std::string_view encoded) {
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%' && i + 2 < encoded.size()) {
      const auto high = hex_digit(encoded[i + 1]);
      const auto low = hex_digit(encoded[i + 2]);
      if (high && low && (*high | *low) != 0) {
        to += static_cast<char>(*high << 4 | *low);
        i += 2;
        continue;
      }
    }
    to += encoded[i];
  }
}

// "accept-language" -> "ACCEPT_LANGUAGE"
char variable_character(char c) {
  if (c == '-') return '_';
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

// Fields that become no HTTP_ variable: those with variables of their own, those of the connection, names
// with `_` (they would collide with the same name spelt with `-`), and Proxy: as HTTP_PROXY it would redirect
// what the guest fetches (CVE-2016-5385).
bool is_passed_on(std::string_view name) {
  return name.find('_') == std::string_view::npos && !http::equal_ignoring_case(name, "proxy") &&
         !http::equal_ignoring_case(name, "content-type") && !http::is_framing_or_hop_by_hop(name);
}

std::string_view decimal(std::uint64_t value, char (&buffer)[20]) {
  return {buffer,
          static_cast<std::size_t>(std::to_chars(buffer, buffer + sizeof buffer, value).ptr - buffer)};
}

// As URLs have it: an IPv6 address in brackets.
void append_host(std::string& to, std::string_view host) {
  const bool bare_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  to.append(bare_ipv6 ? "[" : "").append(host).append(bare_ipv6 ? "]" : "");
}

}  // namespace

RouteEnvironment::RouteEnvironment(std::string program, const std::map<std::string, std::string>& env,
                                   const std::vector<std::string>& args) {
  storage_.reserve(1 + env.size() + args.size());  // views into it must stay
  args_.push_back(storage_.emplace_back(std::move(program)));
  for (const std::string& arg : args) args_.push_back(storage_.emplace_back(arg));
  for (const auto& [name, value] : env) {
    if (std::find(std::begin(meta_variables), std::end(meta_variables), name) != std::end(meta_variables))
      continue;
    const std::string_view variable = storage_.emplace_back(name + "=" + value);
    variables_.push_back(variable);
    if (name.starts_with("HTTP_")) http_names_.push_back(variable.substr(0, name.size()));
  }
}

bool RouteEnvironment::owns(std::string_view http_variable) const {
  return std::find(http_names_.begin(), http_names_.end(), http_variable) != http_names_.end();
}

void CgiRequest::assemble(const CgiFacts& facts, const RouteEnvironment& route) {
  arena_.clear();
  reserve(facts);
  environment_.assign(route.variables().begin(), route.variables().end());
  args_.assign(route.args().begin(), route.args().end());

  const http::Request& request = facts.request;
  environment_.push_back("GATEWAY_INTERFACE=CGI/1.1");
  environment_.push_back("SERVER_SOFTWARE=tollgate");
  environment_.push_back(request.version_minor == 0 ? "SERVER_PROTOCOL=HTTP/1.0"
                                                    : "SERVER_PROTOCOL=HTTP/1.1");
  environment_.push_back("AUTH_TYPE=");
  environment_.push_back("REMOTE_USER=");
  add("REQUEST_METHOD=", request.method_name);
  add("QUERY_STRING=", request.query);
  add_addresses(facts);
  add_path(facts);
  // RFC 3875 section 4.1.2: set if and only if there is a message body.
  if (facts.body_bytes > 0 || request.content_length != std::optional<std::uint64_t>(0)) {
    char digits[20];
    add("CONTENT_LENGTH=", decimal(facts.body_bytes, digits));
  }
  add_fields(request, route);
  add_query_words(request);
}

// An upper bound of all that is appended, so that views into the arena stay where they are.
void CgiRequest::reserve(const CgiFacts& facts) {
  constexpr std::size_t names_bytes = 512;
  constexpr std::size_t field_overhead_bytes = sizeof "HTTP_" + sizeof "=" + sizeof ", ";
  const http::Request& request = facts.request;
  std::size_t bytes = names_bytes + facts.route_path.size() + facts.matched_prefix.size() +
                      request.method_name.size() + 4 * request.path.size() + 2 * request.query.size() +
                      3 * request.authority.size() + request.target.size() + 2 * facts.remote_address.size() +
                      2 * facts.local_address.size();
  for (const http::Field& field : request.fields) {
    bytes += field.name.size() + field.value.size() + field_overhead_bytes;
  }
  arena_.reserve(bytes);
}

std::string_view CgiRequest::finish(std::size_t start) {
  return std::string_view(arena_).substr(start);
}

void CgiRequest::add(std::string_view name_and_equals, std::string_view value) {
  const std::size_t start = arena_.size();
  arena_.append(name_and_equals).append(value);
  environment_.push_back(finish(start));
}

void CgiRequest::add_decoded(std::string_view name_and_equals, std::string_view encoded) {
  const std::size_t start = arena_.size();
  arena_ += name_and_equals;
  append_decoded(arena_, encoded);
  environment_.push_back(finish(start));
}

void CgiRequest::add_addresses(const CgiFacts& facts) {
  char digits[20];
  const std::size_t start = arena_.size();
  arena_ += "SERVER_NAME=";
  append_host(arena_, facts.request.host.empty() ? facts.local_address : facts.request.host);
  environment_.push_back(finish(start));
  add("SERVER_PORT=", decimal(facts.local_port, digits));
  add("REMOTE_ADDR=", facts.remote_address);
  // RFC 3875 section 4.1.9: the address where there is no name; names are not looked up.
  add("REMOTE_HOST=", facts.remote_address);
}

void CgiRequest::add_path(const CgiFacts& facts) {
  const http::Request& request = facts.request;
  const bool below = request.path.starts_with(facts.matched_prefix);
  const std::string_view raw_info =
      below ? request.path.substr(facts.matched_prefix.size()) : std::string_view();
  add_decoded("SCRIPT_NAME=", facts.matched_prefix);
  add_decoded("PATH_INFO=", raw_info);
  if (!raw_info.empty()) add_decoded("PATH_TRANSLATED=", raw_info);
  add("X_RAW_PATH_INFO=", raw_info);
  add("X_MATCHED_ROUTE=", facts.route_path);
  add_full_url(facts);
}

// Without a Host (HTTP/1.0) by the address that was connected to.
void CgiRequest::add_full_url(const CgiFacts& facts) {
  const http::Request& request = facts.request;
  const std::size_t start = arena_.size();
  arena_ += "X_FULL_URL=http://";
  if (request.authority.empty()) {
    char digits[20];
    append_host(arena_, facts.local_address);
    arena_.append(":").append(decimal(facts.local_port, digits));
  } else {
    arena_ += request.authority;
  }
  arena_ += request.target;
  environment_.push_back(finish(start));
}

void CgiRequest::add_fields(const http::Request& request, const RouteEnvironment& route) {
  const http::Fields& fields = request.fields;
  const auto same = [](const http::Field& a, const http::Field& b) {
    return http::equal_ignoring_case(a.name, b.name);
  };
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    if (std::any_of(fields.begin(), field, [&](const http::Field& before) { return same(before, *field); }))
      continue;
    if (http::equal_ignoring_case(field->name, "content-type")) add("CONTENT_TYPE=", field->value);
    if (!is_passed_on(field->name)) continue;
    const std::size_t start = arena_.size();
    arena_ += "HTTP_";
    for (const char c : field->name) arena_ += variable_character(c);
    if (route.owns(finish(start))) {
      arena_.resize(start);
      continue;
    }
    // RFC 9112 section 3.2.2: the authority of an absolute-form target replaces Host.
    const bool is_host = http::equal_ignoring_case(field->name, "host");
    arena_.append("=").append(is_host ? request.authority : field->value);
    // Repeated lines are one list (RFC 9110 section 5.3); cookies are joined as RFC 9113 section 8.2.3 does.
    const std::string_view separator = http::equal_ignoring_case(field->name, "cookie") ? "; " : ", ";
    for (auto next = field + 1; next != fields.end(); ++next) {
      if (same(*next, *field)) arena_.append(separator).append(next->value);
    }
    environment_.push_back(finish(start));
  }
}

// RFC 3875 section 4.4: an "indexed" query, of GET or HEAD and without '=', is a list of words between '+'.
void CgiRequest::add_query_words(const http::Request& request) {
  const bool reads = request.method == http::Method::get || request.method == http::Method::head;
  std::string_view rest = request.query;
  if (!reads || rest.empty() || rest.find('=') != std::string_view::npos) return;
  for (;;) {
    const std::size_t plus = rest.find('+');
    const std::size_t start = arena_.size();
    append_decoded(arena_, rest.substr(0, plus));
    args_.push_back(finish(start));
    if (plus == std::string_view::npos) return;
    rest.remove_prefix(plus + 1);
  }
}

}  // namespace tollgate::gateway::abi
