// A route's requests, each answered by a guest in its own fresh sandbox.
//
// The whole body is read before a sandbox is taken, and nothing is sent before the guest has ended: a core
// module's answer is known only then. Limits::body_bytes and output_bytes bound both.
#pragma once

#include <memory>

#include "gateway/backend.hpp"
#include "gateway/guests/guest_handler.hpp"

namespace tollgate::gateway {

class SandboxBackend final : public Backend {
 public:
  SandboxBackend(Abi abi, std::unique_ptr<GuestHandler> handler) : abi_(abi), handler_(std::move(handler)) {}

  Task<> serve(RequestContext& context) override;

 private:
  bool begin(GuestInvocation& invocation, const RequestContext& context, std::string_view body,
             GuestBuffers& buffers);

  Abi abi_;
  std::unique_ptr<GuestHandler> handler_;
};

}  // namespace tollgate::gateway
