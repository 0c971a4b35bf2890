#include "http/response_head.hpp"

#include <array>
#include <charconv>

#include "http/field_policy.hpp"

namespace tollgate::http {
namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
  std::array<char, 24> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number, base);
  out.append(digits.data(), result.ptr);
}

void append_status_line(std::string& out, int status) {
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
    return;
  }
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.append(" ").append(reason_phrase(status)).append("\r\n");
}

void append_field(std::string& out, const Field& field) {
  if (is_writable(field)) out.append(field.name).append(": ").append(field.value).append("\r\n");
}

bool is_ours(std::string_view name) {
  return is_framing_or_hop_by_hop(name) || equal_ignoring_case(name, "date") ||
         equal_ignoring_case(name, "x-request-id");
}

void append_framing(std::string& out, const BodyFraming& framing) {
  switch (framing.kind) {
    case BodyFraming::Kind::length:
      out.append("Content-Length: ");
      append_number(out, framing.length);
      out.append("\r\n");
      break;
    case BodyFraming::Kind::chunked:
      out.append("Transfer-Encoding: chunked\r\n");
      break;
    case BodyFraming::Kind::none:
    case BodyFraming::Kind::until_close:
      break;
  }
}

}  // namespace

std::string_view DateLine::now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (time.tv_sec != second_) {
    second_ = time.tv_sec;
    std::tm utc{};
    ::gmtime_r(&second_, &utc);
    constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 64> text{};  // RFC 9110 section 5.6.7; strftime would speak the locale's language
    const int size = std::snprintf(text.data(), text.size(), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                                   days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                                   months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                                   utc.tm_hour, utc.tm_min, utc.tm_sec);
    line_.assign(text.data(), static_cast<std::size_t>(size));
  }
  return line_;
}

void append_head(std::string& out, const HeadParts& parts) {
  append_status_line(out, parts.head.status);
  for (const Field& field : parts.head.fields) {
    if (!is_ours(field.name)) append_field(out, field);
  }
  for (const Field& field : parts.extra_fields) {
    if (!is_ours(field.name)) append_field(out, field);
  }
  out.append(parts.date_line);
  if (!parts.request_id.empty()) append_field(out, {"x-request-id", parts.request_id});
  append_framing(out, parts.framing);
  if (parts.persistence == Persistence::close) out.append("Connection: close\r\n");
  if (parts.persistence == Persistence::keep_alive_said) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

void append_interim_head(std::string& out, const ResponseHead& head) {
  append_status_line(out, head.status);
  for (const Field& field : head.fields) {
    if (!is_ours(field.name)) append_field(out, field);
  }
  out.append("\r\n");
}

void append_chunk_line(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out.append("\r\n");
}

void append_last_chunk(std::string& out, const Fields* trailers) {
  out.append("0\r\n");
  if (trailers != nullptr) {
    for (const Field& field : *trailers) {
      if (!is_ours(field.name)) append_field(out, field);
    }
  }
  out.append("\r\n");
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    default:
      return "Status";
  }
}

}  // namespace tollgate::http
