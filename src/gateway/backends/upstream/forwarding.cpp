#include "gateway/backends/upstream/forwarding.hpp"

#include <array>
#include <charconv>

#include "http/field_policy.hpp"

namespace tollgate::gateway {
namespace {

using http::equal_ignoring_case;
using http::Field;
using http::Fields;

// A field's fate. Nearly all fields are none of these, which their length and first letter tell.
enum class Class : std::uint8_t {
  end_to_end,
  connection,   // hop-by-hop, or says how this message is framed
  client_path,  // what a client claims about the way its request came
  trailer,
  gateway_own,  // only this gateway says it
};

struct Known {
  std::string_view name;
  Class is;
};

constexpr std::array known_fields{
    Known{"te", Class::connection},
    Known{"host", Class::connection},
    Known{"expect", Class::connection},
    Known{"upgrade", Class::connection},
    Known{"trailer", Class::trailer},
    Known{"forwarded", Class::client_path},
    Known{"connection", Class::connection},
    Known{"keep-alive", Class::connection},
    Known{"x-request-id", Class::client_path},
    Known{"content-length", Class::connection},
    Known{"http2-settings", Class::connection},
    Known{"x-upstream-url", Class::gateway_own},
    Known{"proxy-connection", Class::connection},
    Known{"x-tollgate-error", Class::gateway_own},
    Known{"transfer-encoding", Class::connection},
    Known{"x-upstream-status", Class::gateway_own},
    Known{"proxy-authorization", Class::connection},
};

constexpr std::string_view forwarded_prefix = "x-forwarded-";

constexpr std::uint32_t known_lengths = [] {
  std::uint32_t bits = 0;
  for (const Known& known : known_fields) bits |= 1u << known.name.size();
  return bits;
}();

Class classify(std::string_view name) {
  if (name.empty()) return Class::end_to_end;
  const char first = static_cast<char>(name[0] | 0x20);
  if (first == 'x' && name.size() > forwarded_prefix.size() &&
      equal_ignoring_case(name.substr(0, forwarded_prefix.size()), forwarded_prefix)) {
    return Class::client_path;
  }
  if (name.size() >= 32 || (known_lengths >> name.size() & 1u) == 0) return Class::end_to_end;
  for (const Known& known : known_fields) {
    if (known.name.size() == name.size() && known.name[0] == first && equal_ignoring_case(name, known.name)) {
      return known.is;
    }
  }
  return Class::end_to_end;
}

// The Connection lines of a message. Most messages have none, or one that names no field.
class ConnectionOptions {
 public:
  explicit ConnectionOptions(const Fields& fields) : fields_(fields) {
    for (const Field& field : fields) {
      if (!equal_ignoring_case(field.name, "connection")) continue;
      names_fields_ |=
          !equal_ignoring_case(field.value, "keep-alive") && !equal_ignoring_case(field.value, "close");
    }
  }
  bool name(std::string_view field_name) const {
    return names_fields_ && http::named_by_connection(fields_, field_name);
  }

 private:
  const Fields& fields_;
  bool names_fields_ = false;
};

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

// Path and query as the upstream gets them: the path in the form that was matched, the query as received.
void append_target(std::string& out, const http::Request& request, std::string_view base_path) {
  if (request.target == "*") {
    out.append("*");
    return;
  }
  out.append(base_path).append(request.path);
  const std::size_t query = request.target.find('?');
  if (query != std::string_view::npos) out.append(request.target.substr(query));
}

void append_way_here(std::string& out, const http::Exchange& exchange) {
  const bool is_v6 = exchange.remote_address.find(':') != std::string_view::npos;
  append_field(out, "X-Forwarded-For", exchange.remote_address);
  const std::string_view asked = exchange.request.authority;  // empty only in HTTP/1.0
  if (!asked.empty()) append_field(out, "X-Forwarded-Host", asked);
  out.append("X-Forwarded-Proto: http\r\nForwarded: for=");
  if (is_v6) out.append("\"[");
  out.append(exchange.remote_address);
  if (is_v6) out.append("]\"");
  if (!asked.empty()) out.append(";host=\"").append(asked).append("\"");
  out.append(";proto=http\r\n");
}

bool takes_trailers(const Fields& fields) {
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, "te") && http::list_has(field.value, "trailers")) return true;
  }
  return false;
}

}  // namespace

RequestFraming frame_request(const http::Request& request) {
  if (!request.content_length) return {RequestFraming::Kind::chunked, 0};
  if (*request.content_length > 0 || request.fields.find("content-length")) {
    return {RequestFraming::Kind::length, *request.content_length};
  }
  return {};
}

void write_request_head(std::string& out, const http::Exchange& exchange, const UpstreamTarget& target,
                        RequestFraming framing) {
  const http::Request& request = exchange.request;
  out.append(request.method_name).append(" ");
  append_target(out, request, target.base_path);
  out.append(" HTTP/1.1\r\n");
  append_field(out, "Host", target.authority);

  const ConnectionOptions options(request.fields);
  for (const Field& field : request.fields) {
    const Class is = classify(field.name);
    const bool announces_trailers = is == Class::trailer && framing.kind == RequestFraming::Kind::chunked;
    if (is != Class::end_to_end && !announces_trailers) continue;
    if (options.name(field.name)) continue;
    append_field(out, field.name, field.value);
  }
  append_way_here(out, exchange);
  if (!exchange.request_id.empty()) append_field(out, "X-Request-Id", exchange.request_id);
  if (takes_trailers(request.fields)) out.append("TE: trailers\r\nConnection: TE\r\n");
  if (framing.kind == RequestFraming::Kind::length) {
    out.append("Content-Length: ");
    append_number(out, framing.length);
    out.append("\r\n");
  } else if (framing.kind == RequestFraming::Kind::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
  out.append("\r\n");
}

void write_upstream_url(std::string& out, const http::Request& request, const UpstreamTarget& target) {
  out.append(target.url);
  append_target(out, request, "");
}

void forward_response_fields(const Fields& fields, std::vector<Field>& out) {
  const ConnectionOptions options(fields);
  for (const Field& field : fields) {
    const Class is = classify(field.name);
    if (is == Class::connection || is == Class::trailer || is == Class::gateway_own) continue;
    if (options.name(field.name)) continue;
    out.push_back(field);
  }
}

void forward_trailers(const Fields& trailers, Fields& out) {
  for (const Field& field : trailers) {
    if (classify(field.name) == Class::end_to_end) out.add(field.name, field.value);
  }
}

void write_trailers(std::string& out, const Fields& trailers) {
  for (const Field& field : trailers) append_field(out, field.name, field.value);
  out.append("\r\n");
}

}  // namespace tollgate::gateway
