#include "gateway/process/program_shelf.hpp"

#include <utility>

#include "sandbox/make_engine.hpp"

namespace tollgate::gateway {

expected<std::shared_ptr<sandbox::Program>, std::string> ProgramShelf::load(sandbox::BundleFds bundle) {
  std::weak_ptr<sandbox::Program>& place = programs_[bundle.manifest.module_digest];
  if (auto program = place.lock()) return program;
  if (!engine_) {
    auto engine = sandbox::make_engine();
    if (!engine) return unexpected(engine.error());
    engine_ = std::move(*engine);
  }
  auto program = engine_->load(std::move(bundle));
  if (program) place = *program;
  std::erase_if(programs_, [](const auto& entry) { return entry.second.expired(); });
  return program;
}

}  // namespace tollgate::gateway
