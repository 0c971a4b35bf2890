#include "gateway/routing/route_table.hpp"

#include <algorithm>
#include <array>

#include "gateway/routing/path_form.hpp"

namespace tollgate::gateway {
namespace {

struct NamedMethod {
  std::string_view name;
  http::Method method;
};
constexpr NamedMethod known_methods[] = {
    {"GET", http::Method::get},     {"HEAD", http::Method::head},      {"POST", http::Method::post},
    {"PUT", http::Method::put},     {"DELETE", http::Method::delete_}, {"OPTIONS", http::Method::options},
    {"PATCH", http::Method::patch}, {"TRACE", http::Method::trace},
};

constexpr std::uint32_t bit(http::Method method) {
  return std::uint32_t{1} << static_cast<unsigned>(method);
}

// Of a route that names no method.
constexpr std::uint32_t any_method_bits = ~bit(http::Method::trace);

std::uint32_t bits_of(const std::vector<std::string>& methods) {
  if (methods.empty()) return any_method_bits;
  std::uint32_t bits = 0;
  for (const std::string& name : methods) {
    for (const NamedMethod& known : known_methods) bits |= known.name == name ? bit(known.method) : 0;
  }
  return bits;
}

// `pattern` is "" (any), "*.suffix" or a name in lower case. A wildcard stands for one or more whole labels.
bool host_matches(std::string_view pattern, std::string_view host) {
  if (pattern.empty()) return true;
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!pattern.starts_with("*.")) return http::equal_ignoring_case(pattern, host);
  const std::string_view suffix = pattern.substr(1);
  return host.size() > suffix.size() &&
         http::equal_ignoring_case(host.substr(host.size() - suffix.size()), suffix);
}

// Larger is more specific.
std::size_t host_rank(std::string_view pattern) {
  if (pattern.empty()) return 0;
  return pattern.starts_with("*.") ? pattern.size() : SIZE_MAX;
}

// Takes the next segment off a path that begins with '/'.
std::string_view next_segment(std::string_view& path) {
  const std::size_t end = path.find('/', 1);
  const std::string_view segment = path.substr(1, end == std::string_view::npos ? end : end - 1);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  return segment;
}

// The part of `path` that has as many segments as `matched`, which is the same part in another form.
std::string_view first_segments(std::string_view path, std::string_view matched) {
  if (path.starts_with(matched)) return path.substr(0, matched.size());
  std::string_view rest = path;
  for (auto segments = std::count(matched.begin(), matched.end(), '/'); segments > 0; --segments)
    next_segment(rest);
  return path.substr(0, path.size() - rest.size());
}

}  // namespace

RouteTable::RouteTable(std::span<const Route> routes) : routes_(routes), nodes_(1) {
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    const Route& route = routes[i];
    const Candidate candidate{route.host, bits_of(route.methods), route.methods.empty(), i};
    std::string_view path = route.path;
    const bool is_prefix = path.ends_with("/*");
    if (is_prefix) path.remove_suffix(2);
    Node& node = nodes_[node_for(path)];
    (is_prefix ? node.below : node.exact).push_back(candidate);
  }
  for (Node& node : nodes_) {
    order(node.exact);
    order(node.below);
  }
}

RouteTable::NodeIndex RouteTable::node_for(std::string_view path) {
  NodeIndex at = 0;
  std::uint32_t path_bytes = 0;
  while (!path.empty()) {
    const std::string_view segment = next_segment(path);
    path_bytes += static_cast<std::uint32_t>(segment.size()) + 1;
    auto& children = nodes_[at].children;
    const auto place =
        std::lower_bound(children.begin(), children.end(), segment,
                         [](const auto& entry, std::string_view name) { return entry.first < name; });
    if (place != children.end() && place->first == segment) {
      at = place->second;
      continue;
    }
    const auto added = static_cast<NodeIndex>(nodes_.size());
    children.insert(place, {segment, added});
    Node node;
    node.parent = at;
    node.path_bytes = path_bytes;
    nodes_.push_back(std::move(node));
    at = added;
  }
  return at;
}

// Most specific first. A route for GET takes HEAD too, unless a route of the same path and host names HEAD.
void RouteTable::order(std::vector<Candidate>& candidates) const {
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    const std::size_t rank_a = host_rank(a.host);
    const std::size_t rank_b = host_rank(b.host);
    if (rank_a != rank_b) return rank_a > rank_b;
    return a.any_method < b.any_method;
  });
  for (Candidate& candidate : candidates) {
    if ((candidate.methods & bit(http::Method::get)) == 0) continue;
    const bool head_is_named = std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& other) {
      const auto& names = routes_[other.route].methods;
      return other.host == candidate.host && std::find(names.begin(), names.end(), "HEAD") != names.end();
    });
    if (!head_is_named) candidate.methods |= bit(http::Method::head);
  }
}

const RouteTable::Node* RouteTable::child(const Node& node, std::string_view segment) const {
  const auto place =
      std::lower_bound(node.children.begin(), node.children.end(), segment,
                       [](const auto& entry, std::string_view name) { return entry.first < name; });
  if (place == node.children.end() || place->first != segment) return nullptr;
  return &nodes_[place->second];
}

RouteTable::Place RouteTable::place_of(std::string_view path, std::string_view host) const {
  const auto any_host_matches = [host](const std::vector<Candidate>& candidates) {
    return std::any_of(candidates.begin(), candidates.end(),
                       [host](const Candidate& candidate) { return host_matches(candidate.host, host); });
  };
  if (!path.starts_with('/')) return {};
  const Node* node = nodes_.data();
  std::string_view rest = path;
  while (!rest.empty()) {
    std::string_view after = rest;
    const Node* next = child(*node, next_segment(after));
    if (next == nullptr) break;
    node = next;
    rest = after;
  }
  if (rest.empty() && any_host_matches(node->exact)) return {&node->exact, path.size()};
  // "<path>/*" is not for <path> itself, so a path that ends at this node belongs to a parent.
  if (rest.empty()) node = &nodes_[node->parent];
  while (true) {
    if (any_host_matches(node->below)) return {&node->below, node->path_bytes};
    if (node == nodes_.data()) return {};
    node = &nodes_[node->parent];
  }
}

bool RouteTable::takes(const Candidate& candidate, const http::Request& request) const {
  if (request.method != http::Method::other) return (candidate.methods & bit(request.method)) != 0;
  if (candidate.any_method) return true;
  const auto& names = routes_[candidate.route].methods;
  return std::find(names.begin(), names.end(), request.method_name) != names.end();
}

RouteTable::Match RouteTable::find(const http::Request& request) const {
  std::array<char, path_form_bytes_max> room;
  const std::string_view path = path_form(request.path, room);
  const Place place = place_of(path, request.host);
  if (place.candidates == nullptr) return {};
  for (const Candidate& candidate : *place.candidates) {
    if (!takes(candidate, request) || !host_matches(candidate.host, request.host)) continue;
    const std::string_view prefix = first_segments(request.path, path.substr(0, place.matched_bytes));
    return {Match::Kind::found, candidate.route, prefix};
  }
  return {Match::Kind::method_not_allowed, 0, {}};
}

std::string RouteTable::allowed_methods(const http::Request& request) const {
  std::array<char, path_form_bytes_max> room;
  const Place place = place_of(path_form(request.path, room), request.host);
  if (place.candidates == nullptr) return {};
  std::uint32_t bits = bit(http::Method::options);
  std::vector<std::string_view> others;
  for (const Candidate& candidate : *place.candidates) {
    if (!host_matches(candidate.host, request.host)) continue;
    bits |= candidate.methods;
    for (const std::string& name : routes_[candidate.route].methods) {
      const bool is_known = bits_of({name}) != 0;
      if (!is_known && std::find(others.begin(), others.end(), name) == others.end()) others.push_back(name);
    }
  }
  std::string allow;
  const auto append = [&allow](std::string_view name) {
    allow.append(allow.empty() ? "" : ", ").append(name);
  };
  for (const NamedMethod& known : known_methods) {
    if ((bits & bit(known.method)) != 0) append(known.name);
  }
  for (const std::string_view name : others) append(name);
  return allow;
}

}  // namespace tollgate::gateway
