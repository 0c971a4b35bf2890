// Which route takes a request. Precedence: exact path, then longest prefix; among routes of that path whose
// host matches: exact host, then longest wildcard, then any; then a named method before any method. The path
// decides first: a path that is known for this host but not for this method is method_not_allowed, and no
// shorter path is tried. TRACE is taken only by a route that names it: who answers it shows what
// intermediaries added to a request (RFC 9110 section 9.3.8), which no handler expects to be asked.
//
// Paths are compared in the form of path_form.hpp, so that no way of escaping a character leads to another
// route.
//
// Immutable once made; find() does not allocate and costs O(length of the path).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.hpp"
#include "http/message.hpp"

namespace tollgate::gateway {

class RouteTable {
 public:
  // `routes` must be valid (config_reader.hpp: no duplicates) and outlive the table.
  explicit RouteTable(std::span<const Route> routes);

  struct Match {
    enum class Kind : std::uint8_t { found, not_found, method_not_allowed };
    Kind kind = Kind::not_found;
    std::uint32_t route = 0;  // index into the routes, when found
    // Part of the given path: "/api" for "/api/*", all of it for an exact route.
    std::string_view matched_prefix;
  };
  Match find(const http::Request& request) const;

  // The value of Allow for the request's path and host (RFC 9110 section 10.2.1): what its routes take, HEAD
  // where they take GET, and OPTIONS, which the gateway itself answers. Empty when the path is not known.
  std::string allowed_methods(const http::Request& request) const;

  std::span<const Route> routes() const { return routes_; }

 private:
  struct Candidate {
    std::string_view host;      // as in Route
    std::uint32_t methods = 0;  // one bit per http::Method other than `other`
    bool any_method = false;
    std::uint32_t route = 0;
  };
  using NodeIndex = std::uint32_t;
  // One path segment. Children are sorted by segment.
  struct Node {
    std::vector<std::pair<std::string_view, NodeIndex>> children;
    std::vector<Candidate> exact;  // routes of this very path
    std::vector<Candidate> below;  // routes "<this path>/*"
    NodeIndex parent = 0;
    std::uint32_t path_bytes = 0;
  };
  // The candidates that decide for a path and host, or nullptr.
  struct Place {
    const std::vector<Candidate>* candidates = nullptr;
    std::size_t matched_bytes = 0;
  };

  NodeIndex node_for(std::string_view path);
  const Node* child(const Node& node, std::string_view segment) const;
  Place place_of(std::string_view path, std::string_view host) const;
  bool takes(const Candidate& candidate, const http::Request& request) const;
  void order(std::vector<Candidate>& candidates) const;

  std::span<const Route> routes_;
  std::vector<Node> nodes_;
};

}  // namespace tollgate::gateway
