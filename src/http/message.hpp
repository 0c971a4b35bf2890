// Requests and responses as a backend sees them, whatever HTTP version carried them.
//
// Lifetime: views point into the connection's buffers and stay valid until the exchange ends.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tollgate::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, patch, trace, other };

// One field line (RFC 9110 section 5). Names keep the sender's spelling; compare without regard to case.
struct Field {
  std::string_view name;
  std::string_view value;
};

bool same_letters(std::string_view a, std::string_view b);  // of equal size
inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_letters(a, b);
}

// Field lines in the order received. Cleared and refilled, it does not allocate again.
class Fields {
 public:
  void clear() { lines_.clear(); }
  void add(std::string_view name, std::string_view value) { lines_.push_back({name, value}); }
  void reserve(std::size_t lines) { lines_.reserve(lines); }
  std::size_t size() const { return lines_.size(); }
  auto begin() const { return lines_.begin(); }
  auto end() const { return lines_.end(); }

  // The first line of that name, or nullopt.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;

 private:
  std::vector<Field> lines_;
};

struct Request {
  Method method = Method::get;
  std::string_view method_name;  // as received: "GET", "PROPFIND"
  std::string_view target;       // origin-form as received ("/a%20b?c=d"); for OPTIONS also "*"
  std::string_view path;       // target up to '?', in the one form of http/target.hpp; still percent-encoded
  std::string_view query;      // after '?', without it; empty when there is none
  std::string_view authority;  // Host, or the authority of an absolute-form target; may carry a port
  std::string_view host;       // authority without the port
  int version_minor = 1;       // HTTP/1.x; 0 or 1
  Fields fields;
  // RFC 9112 section 6: nullopt when the length is not known beforehand (chunked), 0 when there is no body.
  std::optional<std::uint64_t> content_length = 0;
};

// What a backend says of its response. Framing and hop-by-hop fields (RFC 9110 section 7.6.1), Date and
// x-request-id are the connection's own: a backend that names one is ignored.
struct ResponseHead {
  int status = 200;
  std::span<const Field> fields;
};

}  // namespace tollgate::http
