#include "http/http1_body.hpp"

namespace tollgate::http {

using Piece = expected<std::string_view, const Reason*>;

void Http1Body::begin() {
  const Request& request = parser_.request();
  chunked_ = parser_.chunked();
  remaining_ = request.content_length.value_or(0);
  done_ = !chunked_ && remaining_ == 0;
  awaiting_continue_ = parser_.expects_continue() && !done_;
  given_ = 0;
  limit_ = UINT64_MAX;
  last_arrival_ = {};
  error_ = nullptr;
  decoded_ = {};
  next_request_ = {};
}

// Content-Length says it before a byte is read; chunks are counted as they come.
bool Http1Body::over_limit() {
  const bool over = chunked_ ? given_ > limit_ : given_ + remaining_ > limit_;
  if (over) error_ = &reasons::body_too_large;
  return over;
}

Task<Piece> Http1Body::read() {
  if (error_ == nullptr && !done_) over_limit();
  while (error_ == nullptr && (!done_ || !decoded_.empty())) {
    std::string_view piece = std::exchange(decoded_, {});
    InputBuffer& input = stream_.input();
    if (piece.empty() && !input.unread().empty()) {
      const std::size_t before = input.unread().size();
      piece = take(input.unread_data(), before);
      input.consume(before - next_request_.size());
      next_request_ = {};  // it is where it belongs
    } else if (piece.empty()) {
      const auto received = co_await receive();
      if (!received) {
        if (error_ == nullptr) error_ = received.error();  // else it was interrupted
        break;
      }
      piece = take(buffer_->data(), *received);
    }
    if (!piece.empty() && !over_limit()) co_return piece;
  }
  if (error_ != nullptr) co_return unexpected(error_);
  co_return std::string_view{};
}

void Http1Body::interrupt(const Reason& cause) {
  if (done_ || error_ != nullptr) return;
  error_ = &cause;
  if (sending_continue_) stream_.leave_sending();
  if (receiving_) stream_.interrupt_read();
}

// The content of bytes that have arrived.
std::string_view Http1Body::take(char* bytes, std::size_t size) {
  awaiting_continue_ = false;
  if (chunked_) return decode(bytes, size);
  const auto mine = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, size));
  remaining_ -= mine;
  given_ += mine;
  done_ = remaining_ == 0;
  next_request_ = {bytes + mine, size - mine};
  return {bytes, mine};
}

std::string_view Http1Body::decode(char* bytes, std::size_t size) {
  const RequestParser::Chunks chunks = parser_.parse_chunks(bytes, size);
  done_ = chunks.progress == RequestParser::Progress::complete;
  if (chunks.progress == RequestParser::Progress::refused) error_ = parser_.why().reason;
  next_request_ = {bytes + chunks.consumed, size - chunks.consumed};
  given_ += chunks.content.size();
  return chunks.content;
}

std::optional<std::string_view> Http1Body::all_if_buffered() {
  if (error_ != nullptr || over_limit()) return std::nullopt;
  if (done_) return decoded_;  // asked before, or there is none
  InputBuffer& input = stream_.input();
  const std::size_t size = input.unread().size();
  if (size == 0 || (!chunked_ && size < remaining_)) return std::nullopt;
  const std::string_view content = take(input.unread_data(), size);
  input.consume(size - next_request_.size());
  next_request_ = {};
  decoded_ = content;  // for whoever asks again or reads
  if (done_ && error_ == nullptr && !over_limit()) return content;
  return std::nullopt;
}

Task<expected<std::size_t, const Reason*>> Http1Body::receive() {
  if (awaiting_continue_) {
    const auto sent = co_await send_continue();
    if (!sent) co_return unexpected(sent.error());
    if (error_ != nullptr) co_return unexpected(error_);
  }
  if (!buffer_) buffer_ = shared_.take_body_buffer();
  std::size_t size = buffer_->size();
  if (!chunked_) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, remaining_));
  const Http1Watch::Pause pause(watch_);
  receiving_ = true;
  const auto received = co_await stream_.read_some(std::span(buffer_->data(), size), Phase::body);
  receiving_ = false;
  if (received && *received == 0) co_return unexpected(&reasons::client_gone);
  if (received) last_arrival_ = std::chrono::steady_clock::now();
  co_return received;
}

Task<expected<void, const Reason*>> Http1Body::send_continue() {
  awaiting_continue_ = false;
  sending_continue_ = true;
  const auto sent = co_await stream_.send_small("HTTP/1.1 100 Continue\r\n\r\n");
  sending_continue_ = false;
  co_return sent;
}

bool Http1Body::reusable() const {
  if (error_ != nullptr) return false;
  if (done_) return true;
  const std::uint64_t unread =
      remaining_ - std::min<std::uint64_t>(remaining_, stream_.input().unread().size());
  return !awaiting_continue_ && unread <= shared_.limits.unread_body_bytes_max;
}

Task<> Http1Body::read_rest() {
  limit(given_ + shared_.limits.unread_body_bytes_max + stream_.input().unread().size());
  for (;;) {
    const Piece piece = co_await read();
    if (!piece || piece->empty()) co_return;
  }
}

bool Http1Body::finish() {
  const bool at_next = done_ && reusable();
  if (!next_request_.empty()) stream_.input().assign(next_request_);
  if (buffer_) shared_.give_back(std::move(buffer_));
  return at_next;
}

}  // namespace tollgate::http
