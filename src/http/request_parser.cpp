#include "http/request_parser.hpp"

#include <algorithm>

#include "http/field_policy.hpp"
#include "http/method.hpp"
#include "http/target.hpp"

namespace tollgate::http {
namespace {

constexpr std::size_t usual_fields = 16;  // room made at once, for what nearly every client sends

constexpr bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

}  // namespace

struct RequestParser::Callbacks {
  static RequestParser& self(llhttp_t* parser) { return *static_cast<RequestParser*>(parser->data); }

  template <int (RequestParser::*member)()>
  static int event(llhttp_t* parser) {
    return (self(parser).*member)();
  }
  template <int (RequestParser::*member)(const char*, std::size_t)>
  static int span(llhttp_t* parser, const char* at, std::size_t size) {
    return (self(parser).*member)(at, size);
  }
  // A field line is one of the head or, after it, one of the trailers.
  static int name(llhttp_t* parser, const char* at, std::size_t size) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.check(me.body_.on_trailer_name({at, size})) : me.on_name(at, size);
  }
  static int value(llhttp_t* parser, const char* at, std::size_t size) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.check(me.body_.on_trailer_value({at, size})) : me.on_value(at, size);
  }
  static int value_complete(llhttp_t* parser) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.check(me.body_.on_trailer_complete()) : me.on_value_complete();
  }

  // Pauses, for that tells where the line ended.
  static int chunk_line(llhttp_t* parser) {
    if (parser->content_length == 0) self(parser).body_.on_last_chunk();
    return HPE_PAUSED;
  }
  static int extension_name(llhttp_t* parser, const char*, std::size_t size) {
    RequestParser& me = self(parser);
    return me.check(me.body_.on_extension_name(size));
  }
  static int extension_value(llhttp_t* parser, const char* at, std::size_t size) {
    RequestParser& me = self(parser);
    return me.check(me.body_.on_extension_value({at, size}));
  }
  static int extension_complete(llhttp_t* parser) {
    self(parser).body_.on_extension_complete();
    return 0;
  }
  static int content(llhttp_t* parser, const char* at, std::size_t size) {
    self(parser).body_.on_content(at, size);
    return 0;
  }
  static int message_complete(llhttp_t* parser) {
    self(parser).body_.on_complete();
    return HPE_PAUSED;
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t table = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_method_complete = event<&RequestParser::on_method_complete>;
      s.on_url = span<&RequestParser::on_target>;
      s.on_protocol = span<&RequestParser::on_protocol>;
      s.on_version = span<&RequestParser::on_version>;
      s.on_version_complete = event<&RequestParser::on_version_complete>;
      s.on_header_field = name;
      s.on_header_value = value;
      s.on_header_value_complete = value_complete;
      s.on_headers_complete = event<&RequestParser::on_head_complete>;
      s.on_chunk_header = chunk_line;
      s.on_chunk_extension_name = extension_name;
      s.on_chunk_extension_name_complete = extension_complete;
      s.on_chunk_extension_value = extension_value;
      s.on_chunk_extension_value_complete = extension_complete;
      s.on_body = content;
      s.on_message_complete = message_complete;
      return s;
    }();
    return table;
  }
};

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits), body_(limits_) {
  llhttp_init(&parser_, HTTP_REQUEST, &Callbacks::settings());
  parser_.data = this;
  lines_.reserve(usual_fields);
  request_.fields.reserve(usual_fields);
}

void RequestParser::reset() {
  llhttp_reset(&parser_);
  refusal_ = nullptr;
  head_ = {};
  lines_.clear();
  client_request_id_ = {};
  request_.fields.clear();
  body_.reset();
}

RequestParser::Progress RequestParser::parse_head(std::string_view bytes) {
  if (refusal_ != nullptr) return Progress::refused;
  base_ = bytes.data();
  if (const auto rule = check_leading(bytes)) {
    refuse(*rule);
    return Progress::refused;
  }
  const llhttp_errno error = llhttp_execute(&parser_, base_ + head_.parsed, bytes.size() - head_.parsed);
  head_.parsed = bytes.size();
  std::optional<Rule> rule;
  if (refusal_ != nullptr) return Progress::refused;
  if (head_.done) {
    head_bytes_ = static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - base_);
    rule = finish_head();
    if (!rule) return Progress::complete;
  } else if (error != HPE_OK) {
    const char* at = llhttp_get_error_pos(&parser_);
    rule = limits_first(rule_of(error, at), static_cast<std::size_t>(at - base_));
  } else {
    rule = check_unfinished(bytes);
    if (!rule) return Progress::incomplete;
  }
  refuse(*rule);
  return Progress::refused;
}

int RequestParser::refuse(Rule rule) {
  refusal_ = &refusal(rule);
  return -1;
}

// A size limit that was passed before the fault counts first, as it does when the bytes come one by one.
Rule RequestParser::limits_first(Rule rule, std::size_t offset) const {
  if (head_.section_begin != 0) {
    return offset >= head_.section_begin + limits_.section_bytes_max ? Rule::section_too_large : rule;
  }
  const bool in_target = !head_.method.empty() && head_.protocol.empty() && offset > head_.method.end;
  return in_target && offset > head_.method.end + 1 + limits_.target_bytes_max ? Rule::target_too_long : rule;
}

Rule RequestParser::rule_of(llhttp_errno error, const char* at) const {
  switch (error) {
    case HPE_INVALID_METHOD:
      return is_token({at, 1}) ? Rule::unknown_method : Rule::grammar;
    case HPE_INVALID_VERSION: {
      const std::string_view version(
          base_ + head_.protocol.end,
          static_cast<std::size_t>(at - base_) - std::min<std::size_t>(head_.protocol.end, at - base_));
      const auto digit = [](char c) { return c >= '0' && c <= '9'; };
      const bool shaped = version.size() == 4 && digit(version[1]) && version[2] == '.' && digit(version[3]);
      const bool served = version == "/1.1" || version == "/1.0";
      return shaped && !served ? Rule::version_unsupported : Rule::grammar;
    }
    case HPE_PAUSED_H2_UPGRADE:
      return Rule::version_unsupported;
    case HPE_INVALID_URL:
      return Rule::target_bytes;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return Rule::content_length_repeated;
    case HPE_INVALID_CONTENT_LENGTH:
      return Rule::content_length_invalid;
    case HPE_INVALID_TRANSFER_ENCODING:
      return Rule::transfer_encoding_invalid;
    default:
      return Rule::grammar;
  }
}

std::optional<Rule> RequestParser::check_leading(std::string_view bytes) const {
  if (head_.parsed > 2 || bytes.empty() || !is_line_end(bytes[0])) return std::nullopt;
  const bool one_crlf = bytes[0] == '\r' && (bytes.size() < 2 || bytes[1] == '\n') &&
                        (bytes.size() < 3 || !is_line_end(bytes[2]));
  return one_crlf ? std::nullopt : std::optional(Rule::leading_bytes);
}

// What llhttp would read on and on without a callback.
std::optional<Rule> RequestParser::check_unfinished(std::string_view bytes) const {
  if (head_.section_begin != 0) {
    if (bytes.size() >= head_.section_begin + limits_.section_bytes_max) return Rule::section_too_large;
    return std::nullopt;
  }
  if (head_.method.empty()) return std::nullopt;
  if (head_.target.empty()) {
    if (bytes.size() > head_.method.end + 1u) return Rule::request_line_spacing;
    return std::nullopt;
  }
  if (!head_.protocol.empty() || bytes.size() == head_.target.end) return std::nullopt;
  if (is_line_end(bytes[head_.target.end])) return Rule::version_missing;
  if (bytes.size() > head_.target.end + 1u && bytes[head_.target.end + 1] == ' ')
    return Rule::request_line_spacing;
  return std::nullopt;
}

void RequestParser::extend(Span& span, const char* at, std::size_t size) const {
  const auto offset = static_cast<std::uint32_t>(at - base_);
  if (span.empty()) span.begin = offset;
  span.end = offset + static_cast<std::uint32_t>(size);
}

int RequestParser::on_method_complete() {
  const std::string_view name = llhttp_method_name(static_cast<llhttp_method_t>(parser_.method));
  const std::uint32_t begin = base_[0] == '\r' ? 2 : 0;
  head_.method = {begin, begin + static_cast<std::uint32_t>(name.size())};
  if (parser_.method == HTTP_CONNECT) return refuse(Rule::connect_method);
  return is_http_method(parser_.method) ? 0 : refuse(Rule::unknown_method);
}

int RequestParser::on_target(const char* at, std::size_t size) {
  if (head_.target.empty() && static_cast<std::size_t>(at - base_) != head_.method.end + 1u) {
    return refuse(Rule::request_line_spacing);
  }
  extend(head_.target, at, size);
  return head_.target.end - head_.target.begin > limits_.target_bytes_max ? refuse(Rule::target_too_long) : 0;
}

int RequestParser::on_protocol(const char* at, std::size_t size) {
  if (head_.protocol.empty() && static_cast<std::size_t>(at - base_) != head_.target.end + 1u) {
    return refuse(Rule::request_line_spacing);
  }
  extend(head_.protocol, at, size);
  return "HTTP" == head_.protocol.in(base_).substr(0, 4) || head_.protocol.end - head_.protocol.begin < 4
             ? 0
             : refuse(Rule::grammar);
}

int RequestParser::on_version(const char* at, std::size_t size) {
  head_.section_begin = static_cast<std::size_t>(at - base_) + size + 2;  // the line's CRLF
  return 0;
}

int RequestParser::on_version_complete() {
  const bool served = parser_.http_major == 1 && parser_.http_minor <= 1;
  return served ? 0 : refuse(Rule::version_unsupported);
}

int RequestParser::on_name(const char* at, std::size_t size) {
  if (head_.protocol.empty()) return refuse(Rule::version_missing);
  if (lines_.empty() || head_.in_value) {
    if (lines_.size() == limits_.fields_max) return refuse(Rule::too_many_fields);
    lines_.emplace_back();
    head_.in_value = false;
  }
  extend(lines_.back().name, at, size);
  return 0;
}

int RequestParser::on_value(const char* at, std::size_t size) {
  head_.in_value = true;
  extend(lines_.back().value, at, size);
  return 0;
}

int RequestParser::on_value_complete() {
  Span& value = lines_.back().value;
  value.end = value.begin + static_cast<std::uint32_t>(without_trailing_blanks(value.in(base_)).size());
  return check_field(lines_.back());
}

int RequestParser::check_field(const FieldLine& line) {
  const std::string_view name = line.name.in(base_);
  const std::string_view value = line.value.in(base_);
  switch (name.size()) {
    case 4:
      if (!equal_ignoring_case(name, "host")) return 0;
      if (head_.host) return refuse(Rule::host_repeated);
      head_.host = true;
      return parse_authority(value) ? 0 : refuse(Rule::host_invalid);
    case 6:
      if (!equal_ignoring_case(name, "expect") || parser_.http_minor == 0) return 0;
      if (!equal_ignoring_case(value, "100-continue")) return refuse(Rule::expectation_unknown);
      head_.expects_continue = true;
      return 0;
    case 10:
      head_.connection = head_.connection || equal_ignoring_case(name, "connection");
      return 0;
    case 12:
      if (equal_ignoring_case(name, "x-request-id") && acceptable_request_id(value))
        head_.request_id = line.value;
      return 0;
    case 14:
      if (!equal_ignoring_case(name, "content-length")) return 0;
      return check(head_.framing.add_content_length(value));
    case 17:
      if (!equal_ignoring_case(name, "transfer-encoding")) return 0;
      return check(head_.framing.add_transfer_encoding(value, parser_.http_minor));
    default:
      return 0;
  }
}

int RequestParser::on_head_complete() {
  if (head_.protocol.empty()) return refuse(Rule::version_missing);
  head_.done = true;
  parser_.upgrade = 0;  // Upgrade is ignored: the request is served in the version it came in (RFC 9110 7.8)
  return HPE_PAUSED;
}

std::optional<Rule> RequestParser::finish_head() {
  if (head_bytes_ - head_.section_begin > limits_.section_bytes_max) return Rule::section_too_large;
  if (!head_.host && parser_.http_minor == 1) return Rule::host_missing;

  for (const FieldLine& line : lines_) request_.fields.add(line.name.in(base_), line.value.in(base_));
  request_.method = method_of(parser_.method);
  request_.method_name = head_.method.in(base_);
  const auto target = parse_target(head_.target.in(base_), request_.method, target_scratch_);
  if (!target) return target.error();
  request_.target = target->origin;
  request_.path = target->path;
  request_.query = target->query;
  // RFC 9112 section 3.2.2: the authority of an absolute-form replaces Host.
  request_.authority = target->authority;
  if (target->authority.empty() && head_.host) request_.authority = request_.fields.find("host").value_or("");
  const auto authority = parse_authority(request_.authority);
  request_.host = authority ? authority->host : std::string_view{};
  request_.version_minor = parser_.http_minor;
  request_.content_length = head_.framing.content_length.value_or(0);
  if (head_.framing.transfer_encoding) request_.content_length.reset();
  client_request_id_ = head_.request_id.in(base_);
  keep_alive_ = parser_.http_minor > 0;
  if (head_.connection) {  // RFC 9112 section 9.3: `close` wins over whatever else is said
    keep_alive_ = keep_alive_ || named_by_connection(request_.fields, "keep-alive");
    keep_alive_ = keep_alive_ && !named_by_connection(request_.fields, "close");
  }
  return std::nullopt;
}

RequestParser::Chunks RequestParser::parse_chunks(char* bytes, std::size_t size) {
  Chunks result;
  body_.begin_piece(bytes);
  const char* at = bytes;
  const char* const end = bytes + size;
  while (refusal_ == nullptr && !body_.done() && at != end) {
    llhttp_resume(&parser_);
    const llhttp_errno error = llhttp_execute(&parser_, at, static_cast<std::size_t>(end - at));
    if (refusal_ != nullptr) break;
    if (error == HPE_OK) {
      at = end;
      if (!body_.in_last_chunk()) check(body_.on_framing_end(end));  // trailers have a bound of their own
    } else if (error == HPE_PAUSED) {                                // by chunk_line or message_complete
      at = llhttp_get_error_pos(&parser_);
      if (!body_.done()) check(body_.on_framing_end(at));
    } else {
      const bool framing = error == HPE_INVALID_CONTENT_LENGTH || error == HPE_INVALID_TRANSFER_ENCODING ||
                           error == HPE_UNEXPECTED_CONTENT_LENGTH;
      refuse(framing ? Rule::trailer_forbidden : Rule::chunk_grammar);
    }
  }
  result.consumed = static_cast<std::size_t>(at - bytes);
  result.content = body_.content();
  if (refusal_ != nullptr) {
    result.progress = Progress::refused;
  } else if (body_.done()) {
    result.progress = Progress::complete;
  }
  return result;
}

}  // namespace tollgate::http
