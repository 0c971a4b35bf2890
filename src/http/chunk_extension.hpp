// What llhttp lets through in chunk extensions: a name without a character (`6;;c=d`, `6;=d`), a value
// without one (`6;c=`), and one that is quoted from its middle on (`6;c=d"e"`), where RFC 9112 section 7.1.1
// wants tokens or a quoted string. Other readers stop there, so we do.
#pragma once

#include <cstddef>
#include <string_view>

namespace tollgate::http {

// Told by llhttp's callbacks of one message, in their order. A part cut by the end of the input comes in
// pieces, of which the last may be empty: only a part that is empty as a whole is refused.
class ChunkExtensions {
 public:
  // False: refuse.
  bool name(std::size_t bytes) { return part(name_bytes_, bytes); }
  bool value(std::string_view piece) {
    name_bytes_ = 0;  // `=` ends a name without a callback
    if (value_bytes_ == 0) quoted_ = piece.starts_with('"');
    return part(value_bytes_, piece.size()) && (quoted_ || piece.find('"') == std::string_view::npos);
  }
  void complete() { name_bytes_ = value_bytes_ = 0; }

 private:
  static bool part(std::size_t& so_far, std::size_t bytes) {
    so_far += bytes;
    return so_far > 0;
  }

  std::size_t name_bytes_ = 0;
  std::size_t value_bytes_ = 0;
  bool quoted_ = false;
};

}  // namespace tollgate::http
