// A request as CGI/1.1 sees it (RFC 3875 section 4, in WAGI's manner): meta-variables as environment, words
// of the query as arguments, the body on stdin.
//
// Beyond the RFC, as WAGI has it: X_MATCHED_ROUTE (the route's path as configured), X_FULL_URL,
// X_RAW_PATH_INFO (PATH_INFO still percent-encoded); AUTH_TYPE and REMOTE_USER are empty, for nobody was
// authenticated here.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace tollgate::gateway::abi {

// What a route gives every run of its guest: made once when the table is loaded.
class RouteEnvironment {
 public:
  // `program` becomes argv[0]. Variables that CGI itself sets (REQUEST_METHOD, ...) are left out of `env`.
  RouteEnvironment(std::string program, const std::map<std::string, std::string>& env,
                   const std::vector<std::string>& args);
  RouteEnvironment(const RouteEnvironment&) = delete;
  RouteEnvironment& operator=(const RouteEnvironment&) = delete;

  std::span<const std::string_view> variables() const { return variables_; }  // "NAME=value"
  std::span<const std::string_view> args() const { return args_; }            // argv[0] first

  // Does the route itself set that HTTP_ variable? Then no header field of a client may.
  bool owns(std::string_view http_variable) const;

 private:
  std::vector<std::string> storage_;
  std::vector<std::string_view> variables_;
  std::vector<std::string_view> args_;
  std::vector<std::string_view> http_names_;
};

struct CgiFacts {
  const http::Request& request;
  std::string_view route_path;      // "/fn/*"
  std::string_view matched_prefix;  // "/fn", or the whole path of an exact route: becomes SCRIPT_NAME
  std::uint64_t body_bytes = 0;
  std::string_view remote_address;
  std::string_view local_address;
  std::uint16_t local_port = 0;
};

// The environment and arguments of one request, in one buffer that is kept from request to request.
class CgiRequest {
 public:
  // What the spans below hold stays valid until the next call, or as long as `facts` and `route` themselves.
  void assemble(const CgiFacts& facts, const RouteEnvironment& route);

  std::span<const std::string_view> environment() const { return environment_; }
  std::span<const std::string_view> args() const { return args_; }

 private:
  void reserve(const CgiFacts& facts);
  void add(std::string_view name_and_equals, std::string_view value);
  void add_decoded(std::string_view name_and_equals, std::string_view encoded);
  void add_addresses(const CgiFacts& facts);
  void add_path(const CgiFacts& facts);
  void add_full_url(const CgiFacts& facts);
  void add_fields(const http::Request& request, const RouteEnvironment& route);
  void add_query_words(const http::Request& request);
  // Ends the variable or word begun at `start`.
  std::string_view finish(std::size_t start);

  std::string arena_;
  std::vector<std::string_view> environment_;
  std::vector<std::string_view> args_;
};

}  // namespace tollgate::gateway::abi
