// A chunked request body while llhttp decodes it in place: where its content lies, how much framing came
// without content, its trailers. RequestParser calls this from llhttp's callbacks; a rule that comes back was
// broken.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunk_extension.hpp"
#include "http/field_line.hpp"
#include "http/limits.hpp"
#include "http/message.hpp"
#include "http/policy.hpp"

namespace tollgate::http {

class ChunkedBody {
 public:
  // `limits` outlive the object.
  explicit ChunkedBody(const HeadLimits& limits) : limits_(limits) {}

  // Before each request; costs nothing after one that had no such body.
  void reset();

  // Before the bytes of one call.
  void begin_piece(char* bytes);
  // What has been decoded of them: somewhere in them.
  std::string_view content() const;
  bool in_last_chunk() const { return last_chunk_; }
  bool done() const { return done_; }
  const Fields& trailers() const { return trailers_; }  // after done()

  // A line of framing, or the bytes of this call, ended at `end`.
  std::optional<Rule> on_framing_end(const char* end);
  void on_last_chunk() { last_chunk_ = true; }
  std::optional<Rule> on_extension_name(std::size_t size);
  std::optional<Rule> on_extension_value(std::string_view piece);
  void on_extension_complete() { extensions_.complete(); }
  void on_content(const char* at, std::size_t size);
  std::optional<Rule> on_trailer_name(std::string_view piece);
  std::optional<Rule> on_trailer_value(std::string_view piece);
  std::optional<Rule> on_trailer_complete() const;
  void on_complete();

 private:
  std::optional<Rule> count_extension(std::size_t size);
  std::optional<Rule> keep_trailer_bytes(std::string_view piece);

  const HeadLimits& limits_;
  const char* framing_begin_ = nullptr;  // first byte after the last content byte of this piece
  std::size_t framing_bytes_ = 0;        // framing in earlier pieces since the last content byte
  char* content_begin_ = nullptr;
  char* content_end_ = nullptr;
  ChunkExtensions extensions_;
  std::size_t extension_bytes_ = 0;
  bool last_chunk_ = false;
  bool in_trailer_value_ = false;
  bool done_ = false;
  std::string trailer_text_;  // copied: trailers may arrive in many pieces
  std::vector<FieldLine> trailer_lines_;
  Fields trailers_;
};

}  // namespace tollgate::http
