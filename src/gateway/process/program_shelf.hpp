// The programs a worker has loaded, by what they are and not by where they came from: two routes, or two
// tables, that name the same module share one program with the sandboxes it has warm. A program nobody uses
// any more is gone.
//
// Threads: the worker's one.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/expected.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/engine.hpp"
#include "sandbox/program.hpp"

namespace tollgate::gateway {

// Outlives the tables that use its programs.
class ProgramShelf {
 public:
  // Makes the engine when the first program is loaded: a worker without any has none. The error is a sentence
  // to follow the module's name.
  expected<std::shared_ptr<sandbox::Program>, std::string> load(sandbox::BundleFds bundle);

 private:
  std::unique_ptr<sandbox::Engine> engine_;
  std::map<std::string, std::weak_ptr<sandbox::Program>> programs_;  // by digest of the module
};

}  // namespace tollgate::gateway
