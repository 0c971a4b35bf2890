#include <wasmtime.h>

#include "cli/doctor.hpp"
#include "sandbox/engine_fingerprint.hpp"

namespace tollgate::cli {
namespace {

// Below it there are known ways out of the sandbox; of each supported series the first release without them.
constexpr bool above_security_floor(int major, int minor, int patch) {
  switch (major) {
    case 36:
      return minor > 0 || patch >= 20;
    case 48:
      return minor > 0 || patch >= 8;
    case 49:
      return minor > 0 || patch >= 5;
    case 50:
      return minor > 0 || patch >= 1;
    default:
      return major > 50;
  }
}
static_assert(above_security_floor(WASMTIME_VERSION_MAJOR, WASMTIME_VERSION_MINOR, WASMTIME_VERSION_PATCH),
              "this engine has known sandbox escapes: raise its version in engine/Cargo.toml");

}  // namespace

std::vector<Finding> examine_engine() {
  std::vector<Finding> findings;
  findings.push_back(
      {Verdict::ok, "wasmtime", WASMTIME_VERSION, "built in; at or above the security floor 48.0.8"});
  const auto fingerprint = sandbox::engine_fingerprint();
  findings.push_back(
      fingerprint ? Finding{Verdict::ok, "starts", *fingerprint, ""}
                  : Finding{Verdict::problem, "starts", fingerprint.error(), "no handler can be loaded"});
  return findings;
}

}  // namespace tollgate::cli
