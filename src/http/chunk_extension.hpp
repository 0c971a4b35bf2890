// What llhttp lets through in chunk extensions: a name without a character (`6;;c=d`, `6;=d`) and a value without one
// (`6;c=`), where RFC 9112 section 7.1.1 wants tokens. Other readers stop there, so we do.
#pragma once

#include <cstddef>

namespace tollgate::http {

// Told by llhttp's callbacks of one message, in their order. A part cut by the end of the input comes in pieces, of
// which the last may be empty: only a part that is empty as a whole is refused.
class ChunkExtensions {
 public:
  // False: refuse.
  bool name(std::size_t bytes) { return part(name_bytes_, bytes); }
  bool value(std::size_t bytes) {
    name_bytes_ = 0;  // `=` ends a name without a callback
    return part(value_bytes_, bytes);
  }
  void complete() { name_bytes_ = value_bytes_ = 0; }

 private:
  static bool part(std::size_t& so_far, std::size_t bytes) {
    so_far += bytes;
    return so_far > 0;
  }

  std::size_t name_bytes_ = 0;
  std::size_t value_bytes_ = 0;
};

}  // namespace tollgate::http
