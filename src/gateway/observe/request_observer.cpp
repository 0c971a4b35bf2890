#include "gateway/observe/request_observer.hpp"

#include <algorithm>

namespace tollgate::gateway {

void GuestStderr::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t room = line_bytes_max - partial_.size();
    const std::size_t newline = bytes.substr(0, room).find('\n');
    const bool line_ends = newline != std::string_view::npos;
    const std::string_view piece = bytes.substr(0, line_ends ? newline : room);
    bytes.remove_prefix(std::min(bytes.size(), piece.size() + (line_ends ? 1 : 0)));
    if (!line_ends && piece.size() < room) {
      partial_.append(piece);
      return;
    }
    if (partial_.empty()) {
      emit(piece);
    } else {
      partial_.append(piece);
      emit(partial_);
      partial_.clear();
    }
  }
}

}  // namespace tollgate::gateway
