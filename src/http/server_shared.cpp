#include "http/server_shared.hpp"

namespace tollgate::http {

Duration ServerShared::timeout(Phase phase) const {
  switch (phase) {
    case Phase::idle:
      return limits.idle_timeout;
    case Phase::head:
      return limits.head_timeout;
    case Phase::body:
      return limits.body_timeout;
    case Phase::write:
      return limits.write_timeout;
    case Phase::linger:
    case Phase::none:
      break;
  }
  return limits.linger_timeout;
}

BodyBuffer ServerShared::take_body_buffer() {
  if (spare_body_buffers_.empty()) return BodyBuffer(new std::array<char, body_piece_bytes>);
  BodyBuffer buffer = std::move(spare_body_buffers_.back());
  spare_body_buffers_.pop_back();
  return buffer;
}

void ServerShared::give_back(BodyBuffer buffer) {
  if (buffer && spare_body_buffers_.size() < spare_body_buffers_max)
    spare_body_buffers_.push_back(std::move(buffer));
}

}  // namespace tollgate::http
