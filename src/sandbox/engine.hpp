// What makes programs out of compiled bundles. One per worker; a second engine would implement the same
// interface.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/expected.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/program.hpp"

namespace tollgate::sandbox {

class Engine {
 public:
  virtual ~Engine() = default;  // after all programs and runs

  // Takes the descriptors. The code is trusted as native code is: the caller vouches for where the bundle
  // came from. The error is a sentence.
  virtual expected<std::shared_ptr<Program>, std::string> load(BundleFds bundle) = 0;
};

}  // namespace tollgate::sandbox
