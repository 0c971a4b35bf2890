// A sink that keeps everything a guest says.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/program.hpp"

namespace tollgate::sandbox {

// Limits bound it: the run ends before it has said more.
class CollectedOutput final : public Sink {
 public:
  State write(std::string_view bytes) override {
    out.append(bytes);
    return State::accepted;
  }
  void log(std::string_view bytes) override { err.append(bytes); }

  std::string out;
  std::string err;
};

}  // namespace tollgate::sandbox
