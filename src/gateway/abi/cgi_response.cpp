#include "gateway/abi/cgi_response.hpp"

#include <algorithm>
#include <optional>

#include "http/field_policy.hpp"

namespace tollgate::gateway::abi {
namespace {

constexpr CgiFault no_head{
    "The guest's output does not begin with a CGI head; a guest that writes only a body needs abi = "
    "\"stdio\"."};
constexpr CgiFault head_not_ended{
    "The head of the guest's output does not end with an empty line; a guest that writes only a body needs "
    "abi = \"stdio\"."};
constexpr CgiFault head_too_large{"The head of the guest's output is larger than 64 KiB."};
constexpr CgiFault too_many_fields{"The head of the guest's output has more than 128 fields."};
constexpr CgiFault bad_line{"The head of the guest's output has a line that is not `name: value`."};
constexpr CgiFault bad_value{"The head of the guest's output has a control character in a value."};
constexpr CgiFault bad_status{"The guest's Status is not a number from 200 to 599, given once."};
constexpr CgiFault bad_location{"The guest's Location is empty or given twice."};
constexpr CgiFault two_content_types{"The guest's Content-Type is given twice."};

// A line without its end; nullopt when no LF follows.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<http::Field> parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = line.substr(0, colon);
  if (!http::is_token(name)) return std::nullopt;
  return http::Field{name, http::trimmed(line.substr(colon + 1))};
}

// RFC 3875 section 6.3.3: "404" or "404 Not Found". A guest gives the final response, so 1xx is no status.
std::optional<int> parse_status(std::string_view value) {
  constexpr std::size_t digits = 3;
  if (value.size() < digits || (value.size() > digits && value[digits] != ' ')) return std::nullopt;
  int status = 0;
  for (const char c : value.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    status = status * 10 + (c - '0');
  }
  if (status < 200 || status > 599) return std::nullopt;
  return status;
}

class HeadReader {
 public:
  explicit HeadReader(CgiResponse& response) : response_(response) {
    response.fields.clear();
    response.status = 200;
  }

  expected<void, CgiFault> take(const http::Field& field) {
    if (++lines_ > cgi_fields_max) return unexpected(too_many_fields);
    if (!http::is_field_value(field.value)) return unexpected(bad_value);
    if (http::equal_ignoring_case(field.name, "status")) {
      const auto status = parse_status(field.value);
      if (!status || status_ != 0) return unexpected(bad_status);
      status_ = *status;
      return {};
    }
    if (http::equal_ignoring_case(field.name, "location")) {
      if (has_location_ || field.value.empty()) return unexpected(bad_location);
      has_location_ = true;
    }
    // RFC 3875 section 6.3: at most one; which of two a browser believes nobody can tell.
    if (http::equal_ignoring_case(field.name, "content-type")) {
      if (has_content_type_) return unexpected(two_content_types);
      has_content_type_ = true;
    }
    // x-tollgate-error is the gateway's word: a guest may not speak for it.
    if (!http::is_framing_or_hop_by_hop(field.name) &&
        !http::equal_ignoring_case(field.name, "x-tollgate-error")) {
      response_.fields.push_back(field);
    }
    return {};
  }

  expected<void, CgiFault> finish() {
    if (lines_ == 0) return unexpected(no_head);
    constexpr int found = 302;
    if (status_ != 0) {
      response_.status = status_;
    } else if (has_location_) {
      response_.status = found;
    }
    return {};
  }

 private:
  CgiResponse& response_;
  int status_ = 0;  // 0: not given
  bool has_location_ = false;
  bool has_content_type_ = false;
  std::size_t lines_ = 0;
};

}  // namespace

expected<void, CgiFault> read_cgi_response(std::string_view output, CgiResponse& response) {
  HeadReader head(response);
  std::string_view rest = output.substr(0, std::min(output.size(), cgi_head_bytes_max));
  for (bool first = true;; first = false) {
    const auto line = take_line(rest);
    if (!line) {
      if (first && !parse_field(rest)) return unexpected(no_head);
      return unexpected(output.size() > cgi_head_bytes_max ? head_too_large : head_not_ended);
    }
    if (line->empty()) break;
    const auto field = parse_field(*line);
    if (!field) return unexpected(first ? no_head : bad_line);
    if (const auto taken = head.take(*field); !taken) return unexpected(taken.error());
  }
  response.body = output.substr(static_cast<std::size_t>(rest.data() - output.data()));
  return head.finish();
}

}  // namespace tollgate::gateway::abi
