#include "http/response_parser.hpp"

#include <algorithm>
#include <cstring>

#include "http/client_limits.hpp"

namespace tollgate::http {
namespace {

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

ResponseRefusal refusal_of(Rule rule) {
  switch (rule) {
    case Rule::transfer_encoding_invalid:
    case Rule::transfer_encoding_unknown:
    case Rule::transfer_encoding_repeated:
    case Rule::transfer_encoding_in_1_0:
      return ResponseRefusal::transfer_coding;
    default:
      return ResponseRefusal::framing;
  }
}

bool all_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), is_text);
}

}  // namespace

// llhttp's C callbacks, each handing over to the parser in `data`. A result other than 0 stops llhttp.
struct ResponseParser::Callbacks {
  static ResponseParser& self(llhttp_t* llhttp) { return *static_cast<ResponseParser*>(llhttp->data); }

  static int status(llhttp_t* p, const char* at, std::size_t size) {
    return self(p).on_status_text({at, size});
  }
  static int name(llhttp_t* p, const char* at, std::size_t size) { return self(p).on_field_name({at, size}); }
  static int value(llhttp_t* p, const char* at, std::size_t size) {
    return self(p).on_field_value({at, size});
  }
  static int value_end(llhttp_t* p) { return self(p).on_field_end(); }
  static int head_end(llhttp_t* p) { return self(p).on_head_end(); }
  static int extension_name(llhttp_t* p, const char*, std::size_t size) {
    return self(p).chunk_extensions_.name(size) ? 0 : self(p).refuse(ResponseRefusal::malformed);
  }
  static int extension_value(llhttp_t* p, const char* at, std::size_t size) {
    return self(p).chunk_extensions_.value({at, size}) ? 0 : self(p).refuse(ResponseRefusal::malformed);
  }
  static int extension_end(llhttp_t* p) {
    self(p).chunk_extensions_.complete();
    return 0;
  }
  static int body(llhttp_t* p, const char* at, std::size_t size) { return self(p).on_body(at, size); }
  static int message_end(llhttp_t* p) {
    self(p).state_ = State::complete;
    return HPE_PAUSED;
  }
  static int version_end(llhttp_t* p) {
    const bool known = p->http_major == 1 && p->http_minor <= 1;
    return known ? 0 : self(p).refuse(ResponseRefusal::version);
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t table = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_version_complete = version_end;
      s.on_status = status;
      s.on_header_field = name;
      s.on_header_value = value;
      s.on_header_value_complete = value_end;
      s.on_headers_complete = head_end;
      s.on_chunk_extension_name = extension_name;
      s.on_chunk_extension_name_complete = extension_end;
      s.on_chunk_extension_value = extension_value;
      s.on_chunk_extension_value_complete = extension_end;
      s.on_body = body;
      s.on_message_complete = message_end;
      return s;
    }();
    return table;
  }
};

std::string_view describe(ResponseRefusal refusal) {
  switch (refusal) {
    case ResponseRefusal::none:
      return "nothing was refused";
    case ResponseRefusal::malformed:
      return "the response is not valid HTTP/1.x";
    case ResponseRefusal::version:
      return "the response is neither HTTP/1.0 nor HTTP/1.1";
    case ResponseRefusal::status:
      return "the response has a status code that is not allowed here";
    case ResponseRefusal::framing:
      return "the response's length could be read in more than one way";
    case ResponseRefusal::transfer_coding:
      return "the response has a transfer coding other than chunked";
    case ResponseRefusal::head_too_large:
      return "the response's header section is too large";
    case ResponseRefusal::chunk_framing:
      return "the response sends chunk framing without a body";
    case ResponseRefusal::truncated:
      return "the connection ended within the response";
  }
  return "";
}

ResponseParser::ResponseParser() {
  start(Method::get);
}

void ResponseParser::start(Method request_method) {
  llhttp_init(&llhttp_, HTTP_RESPONSE, &Callbacks::settings());
  llhttp_.data = this;
  state_ = State::head;
  refusal_ = ResponseRefusal::none;
  request_method_ = request_method;
  status_ = 0;
  head_bytes_ = 0;
  in_value_ = false;
  framing_ = {};
  chunk_extensions_ = {};
  has_body_ = false;
  ends_with_connection_ = false;
  keeps_connection_ = false;
  text_.clear();
  lines_.clear();
  fields_.clear();
  trailers_.clear();
  framing_bytes_ = 0;
}

ResponseParser::Fed ResponseParser::feed(std::span<char> bytes) {
  if (state_ == State::complete || state_ == State::refused || bytes.empty()) return {state_, 0, {}};
  const bool in_head = state_ == State::head;
  if (in_head && head_bytes_ == 0 && bytes[0] != 'H') {  // llhttp would skip empty lines here
    refuse(ResponseRefusal::malformed);
    return {state_, 0, {}};
  }
  std::size_t size = bytes.size();
  if (in_head) size = std::min(size, client_limits::head_bytes_max - head_bytes_);

  unframed_ = bytes.data();
  body_begin_ = nullptr;
  body_size_ = 0;
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), size);
  std::size_t consumed = size;
  if (error != HPE_OK) consumed = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
  if (error == HPE_PAUSED) {
    llhttp_resume(&llhttp_);
  } else if (error != HPE_OK) {
    if (state_ != State::refused) refuse(classify(error));
    return {state_, consumed, {}};
  }
  if (in_head) {
    head_bytes_ += consumed;
    if (state_ == State::head && head_bytes_ >= client_limits::head_bytes_max) {
      refuse(ResponseRefusal::head_too_large);
    } else if (state_ == State::body && !has_body_) {
      state_ = State::complete;
    }
    return {state_, consumed, {}};
  }
  if (state_ == State::body) {
    framing_bytes_ += static_cast<std::size_t>(bytes.data() + consumed - unframed_);
    if (framing_bytes_ > client_limits::chunk_framing_bytes_max) refuse(ResponseRefusal::chunk_framing);
  } else if (state_ == State::complete) {
    collect(trailers_);
  }
  return {state_, consumed, {body_begin_, body_size_}};
}

ResponseParser::State ResponseParser::feed_end() {
  if (state_ == State::body && ends_with_connection_) {
    state_ = State::complete;
  } else if (state_ != State::complete && state_ != State::refused) {
    refuse(ResponseRefusal::truncated);
  }
  return state_;
}

int ResponseParser::refuse(ResponseRefusal refusal) {
  refusal_ = refusal;
  state_ = State::refused;
  return HPE_USER;
}

ResponseRefusal ResponseParser::classify(llhttp_errno error) const {
  switch (error) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
      return ResponseRefusal::framing;
    case HPE_INVALID_TRANSFER_ENCODING:
      return ResponseRefusal::transfer_coding;
    case HPE_INVALID_VERSION:
      return ResponseRefusal::version;
    case HPE_INVALID_STATUS:
      return ResponseRefusal::status;
    default:
      return ResponseRefusal::malformed;
  }
}

int ResponseParser::on_status_text(std::string_view text) {
  return all_text(text) ? 0 : refuse(ResponseRefusal::malformed);
}

int ResponseParser::on_field_name(std::string_view piece) {
  if (lines_.empty() || in_value_) {
    if (lines_.size() == client_limits::head_fields_max) return refuse(ResponseRefusal::head_too_large);
    lines_.push_back({.name_begin = text_.size()});
    in_value_ = false;
  }
  text_.append(piece);
  return 0;
}

// llhttp lets no control bytes into values.
int ResponseParser::on_field_value(std::string_view piece) {
  if (!in_value_) {
    lines_.back().value_begin = text_.size();
    in_value_ = true;
  }
  text_.append(piece);
  return 0;
}

int ResponseParser::on_field_end() {
  Line& line = lines_.back();
  if (!in_value_) line.value_begin = text_.size();  // an empty value has no piece
  in_value_ = true;
  std::size_t end = text_.size();
  while (end > line.value_begin && (text_[end - 1] == ' ' || text_[end - 1] == '\t')) --end;
  line.value_end = end;
  const std::string_view text = text_;
  const std::string_view name = text.substr(line.name_begin, line.value_begin - line.name_begin);
  const std::string_view value = text.substr(line.value_begin, end - line.value_begin);
  std::optional<Rule> broken;
  if (equal_ignoring_case(name, "transfer-encoding")) {
    broken = framing_.add_transfer_encoding(value, llhttp_.http_minor);
  } else if (equal_ignoring_case(name, "content-length")) {
    broken = framing_.add_content_length(value);
  }
  return broken ? refuse(refusal_of(*broken)) : 0;
}

// RFC 9112 section 6.3: what delimits the body.
int ResponseParser::on_head_end() {
  status_ = llhttp_get_status_code(&llhttp_);
  if (status_ < 100 || status_ > 599 || status_ == 101) return refuse(ResponseRefusal::status);
  const bool has_length = framing_.content_length.has_value();
  const bool chunked = framing_.transfer_encoding;
  if (is_interim() && (has_length || chunked)) return refuse(ResponseRefusal::framing);
  if (status_ == 204 && chunked) return refuse(ResponseRefusal::framing);

  const bool never_has_body =
      is_interim() || status_ == 204 || status_ == 304 || request_method_ == Method::head;
  if (never_has_body) llhttp_.flags |= F_SKIPBODY;
  ends_with_connection_ = !never_has_body && !has_length && !chunked;
  has_body_ = !never_has_body && (chunked || ends_with_connection_ || *framing_.content_length > 0);
  keeps_connection_ = llhttp_should_keep_alive(&llhttp_) != 0 && !ends_with_connection_;
  collect(fields_);
  state_ = State::body;
  return HPE_PAUSED;
}

int ResponseParser::on_body(const char* bytes, std::size_t size) {
  framing_bytes_ += static_cast<std::size_t>(bytes - unframed_);
  if (framing_bytes_ > client_limits::chunk_framing_bytes_max) return refuse(ResponseRefusal::chunk_framing);
  framing_bytes_ = 0;
  unframed_ = bytes + size;
  // feed() was given these bytes as writable.
  char* piece = const_cast<char*>(bytes);
  if (body_begin_ == nullptr) {
    body_begin_ = piece;
  } else {
    std::memmove(body_begin_ + body_size_, piece, size);
  }
  body_size_ += size;
  return 0;
}

// Gives the lines read so far to `into`, whose views stay valid while the next section is read.
void ResponseParser::collect(Fields& into) {
  if (&into == &fields_) {
    head_text_.swap(text_);
  }
  const std::string_view text = &into == &fields_ ? head_text_ : text_;
  for (const Line& line : lines_) {
    into.add(text.substr(line.name_begin, line.value_begin - line.name_begin),
             text.substr(line.value_begin, line.value_end - line.value_begin));
  }
  lines_.clear();
  if (&into == &fields_) text_.clear();
  in_value_ = false;
}

}  // namespace tollgate::http
