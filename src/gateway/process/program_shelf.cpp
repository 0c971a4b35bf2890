#include "gateway/process/program_shelf.hpp"

namespace tollgate::gateway {

expected<std::shared_ptr<sandbox::Program>, std::string> ProgramShelf::load(sandbox::BundleFds bundle) {
  const auto known = programs_.find(bundle.manifest.module_digest);
  if (known != programs_.end()) {
    if (auto program = known->second.lock()) return program;
  }
  return unexpected(std::string("this build has no engine"));
}

}  // namespace tollgate::gateway
