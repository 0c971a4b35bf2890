// A request body that is there from the start, as a guest's stdin.
#pragma once

#include <string_view>

#include "sandbox/program.hpp"

namespace tollgate::sandbox {

// The bytes must outlive every Run that reads them.
class WholeBody final : public Source {
 public:
  explicit WholeBody(std::string_view bytes = {}) : rest_(bytes) {}
  Piece read(std::size_t max) override {
    if (rest_.empty()) return {State::end, {}};
    const std::string_view piece = rest_.substr(0, max);
    rest_.remove_prefix(piece.size());
    return {State::ready, piece};
  }

 private:
  std::string_view rest_;
};

}  // namespace tollgate::sandbox
