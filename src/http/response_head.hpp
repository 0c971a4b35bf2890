// Writes response heads (RFC 9112 section 4). What the connection decides (framing, Date, x-request-id,
// Connection) comes from here; a backend's own words for it are dropped, as is any field that could break the
// head.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace tollgate::http {

// "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n", made anew once a second.
class DateLine {
 public:
  std::string_view now();

 private:
  std::time_t second_ = -1;
  std::string line_;
};

// How the end of the body will be known (RFC 9112 section 6.3).
struct BodyFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
};

// "said": HTTP/1.0 wants to be told.
enum class Persistence : std::uint8_t { keep_alive, keep_alive_said, close };

struct HeadParts {
  const ResponseHead& head;
  std::span<const Field> extra_fields;
  std::string_view request_id;
  std::string_view date_line;
  BodyFraming framing;
  Persistence persistence = Persistence::keep_alive;
};

void append_head(std::string& out, const HeadParts& parts);

// A 1xx head: the backend's fields and nothing else.
void append_interim_head(std::string& out, const ResponseHead& head);

// "7\r\n": the line before a chunk of that size.
void append_chunk_line(std::string& out, std::size_t size);

// The last chunk with its trailers.
void append_last_chunk(std::string& out, const Fields* trailers);

// RFC 9110 sections 6.4.1 and 15: these never have a body, whatever else is said.
constexpr bool status_has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

std::string_view reason_phrase(int status);

}  // namespace tollgate::http
