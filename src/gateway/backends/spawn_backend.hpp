// A route's requests, each answered by a process of its own: the whole body on its stdin, its stdout the
// answer.
#pragma once

#include <memory>

#include "gateway/backend.hpp"
#include "gateway/backends/spawn_handler.hpp"

namespace tollgate::gateway {

class ProgramBackend final : public Backend {
 public:
  ProgramBackend(Abi abi, std::unique_ptr<SpawnHandler> handler) : abi_(abi), handler_(std::move(handler)) {}

  Task<> serve(RequestContext& context) override;

 private:
  SpawnHandler::Variables variables(const RequestContext& context, std::uint64_t body_bytes,
                                    GuestBuffers& buffers) const;

  Abi abi_;
  std::unique_ptr<SpawnHandler> handler_;
};

}  // namespace tollgate::gateway
