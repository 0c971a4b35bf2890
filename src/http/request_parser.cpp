#include "http/request_parser.hpp"

#include <algorithm>

#include "http/field_policy.hpp"
#include "http/target.hpp"

namespace tollgate::http {
namespace {

constexpr std::size_t usual_fields = 16;  // room made at once, for what nearly every client sends

constexpr bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

constexpr bool is_token_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view without_trailing_space(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t");
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

Method method_of(std::uint8_t code) {
  switch (code) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_PUT:
      return Method::put;
    case HTTP_DELETE:
      return Method::delete_;
    case HTTP_OPTIONS:
      return Method::options;
    case HTTP_PATCH:
      return Method::patch;
    case HTTP_TRACE:
      return Method::trace;
    default:
      return Method::other;
  }
}

// llhttp also knows the methods of RTSP and Icecast.
bool is_http_method(std::uint8_t code) {
  return code != HTTP_SOURCE && !(code >= HTTP_DESCRIBE && code <= HTTP_FLUSH);
}

// RFC 9110 section 6.5.1: what frames or routes a message may not come after it.
bool forbidden_in_trailers(std::string_view name) {
  constexpr std::string_view names[] = {"content-length", "transfer-encoding", "host", "connection", "expect",
                                        "upgrade",        "trailer",           "te",   "keep-alive"};
  return std::any_of(std::begin(names), std::end(names),
                     [name](std::string_view one) { return equal_ignoring_case(one, name); });
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
  static int name(llhttp_t* parser, const char* at, std::size_t size) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.on_trailer_name(at, size) : me.on_name(at, size);
  }
  static int value(llhttp_t* parser, const char* at, std::size_t size) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.on_trailer_value(at, size) : me.on_value(at, size);
  }
  static int value_complete(llhttp_t* parser) {
    RequestParser& me = self(parser);
    return me.head_.done ? me.on_trailer_complete() : me.on_value_complete();
  }
  static int extension_name(llhttp_t* parser, const char*, std::size_t size) {
    RequestParser& me = self(parser);
    return me.body_.extensions.name(size) ? me.on_extension(size) : me.refuse(Rule::chunk_grammar);
  }
  static int extension_value(llhttp_t* parser, const char*, std::size_t size) {
    RequestParser& me = self(parser);
    return me.body_.extensions.value(size) ? me.on_extension(size) : me.refuse(Rule::chunk_grammar);
  }
  static int extension_end(llhttp_t* parser) {
    self(parser).body_.extensions.complete();
    return 0;
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
      s.on_chunk_header = event<&RequestParser::on_chunk_line>;
      s.on_chunk_extension_name = extension_name;
      s.on_chunk_extension_name_complete = extension_end;
      s.on_chunk_extension_value = extension_value;
      s.on_chunk_extension_value_complete = extension_end;
      s.on_body = span<&RequestParser::on_body>;
      s.on_message_complete = event<&RequestParser::on_message_complete>;
      return s;
    }();
    return table;
  }
};

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits) {
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
  if (body_.done || body_.framing_begin != nullptr) {
    body_ = {};
    trailer_text_.clear();
    trailer_lines_.clear();
    trailers_.clear();
  }
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
      return is_token_byte(*at) ? Rule::unknown_method : Rule::grammar;
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
  value.end = value.begin + static_cast<std::uint32_t>(without_trailing_space(value.in(base_)).size());
  return check_field(lines_.back());
}

int RequestParser::check_field(const Line& line) {
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

  for (const Line& line : lines_) request_.fields.add(line.name.in(base_), line.value.in(base_));
  request_.method = method_of(parser_.method);
  request_.method_name = head_.method.in(base_);
  const auto target = parse_target(head_.target.in(base_), request_.method, target_scratch_);
  if (!target) return target.error();
  request_.target = target->origin;
  request_.path = target->path;
  request_.query = target->query;
  // RFC 9112 section 3.2.2: the authority of an absolute-form replaces Host.
  request_.authority = target->authority;
  if (target->authority.empty() && head_.host) request_.authority = *request_.fields.find("host");
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
  body_.framing_begin = bytes;
  body_.content_begin = body_.content_end = bytes;
  const char* at = bytes;
  const char* const end = bytes + size;
  while (refusal_ == nullptr && !body_.done && at != end) {
    llhttp_resume(&parser_);
    const llhttp_errno error = llhttp_execute(&parser_, at, static_cast<std::size_t>(end - at));
    if (refusal_ != nullptr) break;
    if (error == HPE_OK) {
      at = end;
      const bool too_long = !body_.last_chunk && count_framing(end) > limits_.chunk_line_bytes_max;
      if (too_long) refuse(Rule::chunk_line_too_long);
      body_.framing_begin = end;
    } else if (error == HPE_PAUSED) {  // by on_chunk_line or on_message_complete
      at = llhttp_get_error_pos(&parser_);
      const bool too_long = !body_.done && count_framing(at) > limits_.chunk_line_bytes_max;
      if (too_long) refuse(Rule::chunk_line_too_long);
      body_.framing_begin = at;
    } else {
      const bool framing = error == HPE_INVALID_CONTENT_LENGTH || error == HPE_INVALID_TRANSFER_ENCODING ||
                           error == HPE_UNEXPECTED_CONTENT_LENGTH;
      refuse(framing ? Rule::trailer_forbidden : Rule::chunk_grammar);
    }
  }
  result.consumed = static_cast<std::size_t>(at - bytes);
  result.content = {body_.content_begin, static_cast<std::size_t>(body_.content_end - body_.content_begin)};
  if (refusal_ != nullptr) {
    result.progress = Progress::refused;
  } else if (body_.done) {
    result.progress = Progress::complete;
    finish_trailers();
  }
  return result;
}

// Bytes of framing since the last content byte, up to `end`.
std::size_t RequestParser::count_framing(const char* end) {
  body_.framing_bytes += static_cast<std::size_t>(end - body_.framing_begin);
  return body_.framing_bytes;
}

// Pauses, for that tells where the line ended.
int RequestParser::on_chunk_line() {
  if (parser_.content_length == 0) body_.last_chunk = true;
  return HPE_PAUSED;
}

int RequestParser::on_extension(std::size_t size) {
  body_.extension_bytes += size;
  return body_.extension_bytes > limits_.extension_bytes_max ? refuse(Rule::chunk_extensions_too_large) : 0;
}

int RequestParser::on_body(const char* at, std::size_t size) {
  if (body_.content_begin == body_.content_end) {
    body_.content_begin = body_.content_end = const_cast<char*>(at);
  } else {
    std::copy(at, at + size, body_.content_end);
  }
  body_.content_end += size;
  body_.framing_begin = at + size;
  body_.framing_bytes = 0;
  return 0;
}

int RequestParser::on_trailer_name(const char* at, std::size_t size) {
  if (trailer_lines_.empty() || body_.in_value) {
    if (trailer_lines_.size() == limits_.trailers_max) return refuse(Rule::trailers_too_large);
    const auto here = static_cast<std::uint32_t>(trailer_text_.size());
    trailer_lines_.push_back({{here, here}, {here, here}});
    body_.in_value = false;
  }
  if (trailer_text_.size() + size > limits_.trailer_bytes_max) return refuse(Rule::trailers_too_large);
  trailer_text_.append(at, size);
  const auto end = static_cast<std::uint32_t>(trailer_text_.size());
  trailer_lines_.back().name.end = end;
  trailer_lines_.back().value = {end, end};
  return 0;
}

int RequestParser::on_trailer_value(const char* at, std::size_t size) {
  body_.in_value = true;
  if (trailer_text_.size() + size > limits_.trailer_bytes_max) return refuse(Rule::trailers_too_large);
  trailer_text_.append(at, size);
  trailer_lines_.back().value.end = static_cast<std::uint32_t>(trailer_text_.size());
  return 0;
}

int RequestParser::on_trailer_complete() {
  const std::string_view name = trailer_lines_.back().name.in(trailer_text_.data());
  return forbidden_in_trailers(name) ? refuse(Rule::trailer_forbidden) : 0;
}

void RequestParser::finish_trailers() {
  for (const Line& line : trailer_lines_) {
    const std::string_view value = without_trailing_space(line.value.in(trailer_text_.data()));
    trailers_.add(line.name.in(trailer_text_.data()), value);
  }
}

int RequestParser::on_message_complete() {
  body_.done = true;
  return HPE_PAUSED;
}

}  // namespace tollgate::http
