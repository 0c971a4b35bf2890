#include "http/chunked_body.hpp"

#include <algorithm>
#include <iterator>

namespace tollgate::http {
namespace {

// RFC 9110 section 6.5.1: what frames or routes a message may not come after it.
bool forbidden_in_trailers(std::string_view name) {
  constexpr std::string_view names[] = {"content-length", "transfer-encoding", "host", "connection", "expect",
                                        "upgrade",        "trailer",           "te",   "keep-alive"};
  return std::any_of(std::begin(names), std::end(names),
                     [name](std::string_view one) { return equal_ignoring_case(one, name); });
}

}  // namespace

void ChunkedBody::reset() {
  if (!done_ && framing_begin_ == nullptr) return;
  framing_begin_ = nullptr;
  framing_bytes_ = 0;
  content_begin_ = content_end_ = nullptr;
  extensions_ = {};
  extension_bytes_ = 0;
  last_chunk_ = in_trailer_value_ = done_ = false;
  trailer_text_.clear();
  trailer_lines_.clear();
  trailers_.clear();
}

void ChunkedBody::begin_piece(char* bytes) {
  framing_begin_ = bytes;
  content_begin_ = content_end_ = bytes;
}

std::string_view ChunkedBody::content() const {
  return {content_begin_, static_cast<std::size_t>(content_end_ - content_begin_)};
}

std::optional<Rule> ChunkedBody::on_framing_end(const char* end) {
  framing_bytes_ += static_cast<std::size_t>(end - framing_begin_);
  framing_begin_ = end;
  if (framing_bytes_ > limits_.chunk_line_bytes_max) return Rule::chunk_line_too_long;
  return std::nullopt;
}

std::optional<Rule> ChunkedBody::on_extension_name(std::size_t size) {
  return extensions_.name(size) ? count_extension(size) : Rule::chunk_grammar;
}

std::optional<Rule> ChunkedBody::on_extension_value(std::string_view piece) {
  return extensions_.value(piece) ? count_extension(piece.size()) : Rule::chunk_grammar;
}

std::optional<Rule> ChunkedBody::count_extension(std::size_t size) {
  extension_bytes_ += size;
  if (extension_bytes_ > limits_.extension_bytes_max) return Rule::chunk_extensions_too_large;
  return std::nullopt;
}

// Content moves up to the content before it, over the framing between them.
void ChunkedBody::on_content(const char* at, std::size_t size) {
  if (content_begin_ == content_end_) {
    content_begin_ = content_end_ = const_cast<char*>(at);
  } else {
    std::copy(at, at + size, content_end_);
  }
  content_end_ += size;
  framing_begin_ = at + size;
  framing_bytes_ = 0;
}

std::optional<Rule> ChunkedBody::on_trailer_name(std::string_view piece) {
  if (trailer_lines_.empty() || in_trailer_value_) {
    if (trailer_lines_.size() == limits_.trailers_max) return Rule::trailers_too_large;
    const auto here = static_cast<std::uint32_t>(trailer_text_.size());
    trailer_lines_.push_back({{here, here}, {here, here}});
    in_trailer_value_ = false;
  }
  if (const auto broken = keep_trailer_bytes(piece)) return broken;
  const auto end = static_cast<std::uint32_t>(trailer_text_.size());
  trailer_lines_.back().name.end = end;
  trailer_lines_.back().value = {end, end};
  return std::nullopt;
}

std::optional<Rule> ChunkedBody::on_trailer_value(std::string_view piece) {
  in_trailer_value_ = true;
  if (const auto broken = keep_trailer_bytes(piece)) return broken;
  trailer_lines_.back().value.end = static_cast<std::uint32_t>(trailer_text_.size());
  return std::nullopt;
}

std::optional<Rule> ChunkedBody::keep_trailer_bytes(std::string_view piece) {
  if (trailer_text_.size() + piece.size() > limits_.trailer_bytes_max) return Rule::trailers_too_large;
  trailer_text_.append(piece);
  return std::nullopt;
}

std::optional<Rule> ChunkedBody::on_trailer_complete() const {
  const std::string_view name = trailer_lines_.back().name.in(trailer_text_.data());
  return forbidden_in_trailers(name) ? std::optional(Rule::trailer_forbidden) : std::nullopt;
}

void ChunkedBody::on_complete() {
  done_ = true;
  for (const FieldLine& line : trailer_lines_) {
    const std::string_view value = without_trailing_blanks(line.value.in(trailer_text_.data()));
    trailers_.add(line.name.in(trailer_text_.data()), value);
  }
}

}  // namespace tollgate::http
