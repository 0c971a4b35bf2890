#include "http/http1_response.hpp"

namespace tollgate::http {
namespace {

iovec piece_of(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

}  // namespace

using Result = ResponseWriter::Result;

void Http1Response::begin(const Exchange& exchange, ClientWants wants) {
  exchange_ = &exchange;
  wants_ = wants;
  state_ = State::nothing;
  persistence_ = Persistence::close;
  framing_ = {};
  status_ = 0;
  body_bytes_ = 0;
}

bool Http1Response::bodiless(int status) const {
  return exchange_->request.method == Method::head || status_has_no_body(status);
}

void Http1Response::write_head(const ResponseHead& head, const BodyFraming& framing) {
  const bool keep = wants_ == ClientWants::keep_alive && !shared_.draining && body_.reusable() &&
                    framing.kind != BodyFraming::Kind::until_close;
  const bool say_so = exchange_->request.version_minor == 0;
  persistence_ = !keep ? Persistence::close : say_so ? Persistence::keep_alive_said : Persistence::keep_alive;
  framing_ = framing;
  status_ = head.status;
  shared_.head.clear();
  append_head(shared_.head, {head, exchange_->extra_fields, exchange_->request_id, shared_.date.now(),
                             framing, persistence_});
}

Task<Result> Http1Response::inform(const ResponseHead& head) {
  const bool interim = head.status >= 100 && head.status < 200 && head.status != 101;
  if (state_ != State::nothing || !interim) co_return unexpected(&reasons::internal);
  if (exchange_->request.version_minor == 0) co_return Result{};
  shared_.head.clear();
  append_interim_head(shared_.head, head);
  iovec pieces[] = {piece_of(shared_.head)};
  co_return co_await put(pieces);
}

// A small body lies behind its head in the shared scratch.
std::span<iovec> Http1Response::whole(const ResponseHead& head, std::string_view body) {
  if (bodiless(head.status)) body = {};
  pieces_ = {piece_of(shared_.head), piece_of(body)};
  return std::span(pieces_).first(body.size() <= copied_body_bytes_max ? 1 : 2);
}

std::optional<Result> Http1Response::try_send(const ResponseHead& head, std::string_view body) {
  if (state_ != State::nothing) return unexpected(&reasons::internal);
  const bool framed = !status_has_no_body(head.status);
  write_head(head, {framed ? BodyFraming::Kind::length : BodyFraming::Kind::none, body.size()});
  if (bodiless(head.status)) body = {};
  body_bytes_ = body.size();
  const std::size_t size = shared_.head.size() + body.size();
  if (body.size() <= copied_body_bytes_max) shared_.head.append(body);
  if (shared_.head.size() == size && keeps_connection_once_sent() && stream_.send_at_turn_end(shared_.head)) {
    state_ = State::complete;
    return Result{};
  }
  const std::ptrdiff_t taken = stream_.try_write(whole(head, body));
  if (taken < 0) {
    state_ = State::failed;
    return unexpected(&reasons::client_gone);
  }
  taken_ = static_cast<std::size_t>(taken);
  state_ = taken_ == size ? State::complete : State::sending;
  return state_ == State::complete ? std::optional(Result{}) : std::nullopt;
}

Task<Result> Http1Response::send(const ResponseHead& head, std::string_view body) {
  if (state_ != State::sending) {
    const std::optional<Result> sent = try_send(head, body);
    if (sent) co_return *sent;
  }
  state_ = State::complete;
  co_return co_await put_rest(whole(head, body), taken_);
}

Task<Result> Http1Response::start(const ResponseHead& head, std::optional<std::uint64_t> length) {
  if (state_ != State::nothing) co_return unexpected(&reasons::internal);
  BodyFraming framing;
  if (status_has_no_body(head.status)) {
    framing.kind = BodyFraming::Kind::none;
  } else if (length) {
    framing = {BodyFraming::Kind::length, *length};
  } else {
    const bool chunks = exchange_->request.version_minor > 0;
    framing.kind = chunks ? BodyFraming::Kind::chunked : BodyFraming::Kind::until_close;
  }
  write_head(head, framing);
  state_ = State::streaming;
  send_body_ = !bodiless(head.status);
  iovec pieces[] = {piece_of(shared_.head)};
  co_return co_await put(pieces);
}

Task<Result> Http1Response::write(std::string_view piece) {
  if (state_ != State::streaming) co_return unexpected(&reasons::client_gone);
  if (!send_body_ || piece.empty()) co_return Result{};
  if (framing_.kind == BodyFraming::Kind::length && piece.size() > framing_.length - body_bytes_) {
    abort();
    co_return unexpected(&reasons::internal);
  }
  body_bytes_ += piece.size();
  if (framing_.kind != BodyFraming::Kind::chunked) {
    iovec pieces[] = {piece_of(piece)};
    co_return co_await put(pieces);
  }
  shared_.head.clear();
  append_chunk_line(shared_.head, piece.size());
  iovec pieces[] = {piece_of(shared_.head), piece_of(piece), piece_of("\r\n")};
  co_return co_await put(pieces);
}

Task<Result> Http1Response::finish(const Fields* trailers) {
  if (state_ != State::streaming) co_return unexpected(&reasons::client_gone);
  if (send_body_ && framing_.kind == BodyFraming::Kind::length && body_bytes_ != framing_.length) {
    abort();
    co_return unexpected(&reasons::internal);
  }
  state_ = State::complete;
  if (!send_body_ || framing_.kind != BodyFraming::Kind::chunked) co_return Result{};
  shared_.head.clear();
  append_last_chunk(shared_.head, trailers);
  iovec pieces[] = {piece_of(shared_.head)};
  co_return co_await put(pieces);
}

// Where the close itself is the body's end, only a reset tells the client that it came too early.
void Http1Response::abort() {
  if (state_ == State::complete) return;
  state_ = State::failed;
  if (framing_.kind == BodyFraming::Kind::until_close) stream_.reset_on_close();
}

Task<Result> Http1Response::put(std::span<iovec> pieces) {
  std::size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  const std::ptrdiff_t taken = stream_.try_write(pieces);
  if (taken == static_cast<std::ptrdiff_t>(size)) co_return Result{};
  if (taken >= 0) co_return co_await put_rest(pieces, static_cast<std::size_t>(taken));
  state_ = State::failed;
  co_return unexpected(&reasons::client_gone);
}

// The shared scratch cannot be kept while waiting: others write their heads into it.
Task<Result> Http1Response::put_rest(std::span<iovec> pieces, std::size_t taken) {
  if (pieces.front().iov_base == shared_.head.data()) {
    rest_.assign(shared_.head);
    pieces.front().iov_base = rest_.data();
  }
  const Result written = co_await stream_.write_rest(pieces, taken);
  if (!written) state_ = State::failed;
  co_return written;
}

}  // namespace tollgate::http
