// Any backend with a guest behind it: the response body goes to the guest's stdin, and what it writes to
// stdout is sent in its place, with the inner status and fields.
//
// Responses without a body (to HEAD, 204, 304) touch no guest, and neither does a failure of the gateway
// itself. Bodies that came from an upstream are marked `x-wasm-processed: 1`, as the gateway study has it.
#pragma once

#include <memory>

#include "gateway/backend.hpp"
#include "gateway/captured_response.hpp"
#include "gateway/guest_handler.hpp"

namespace tollgate::gateway {

class TransformBackend final : public Backend {
 public:
  TransformBackend(std::unique_ptr<Backend> inner, std::unique_ptr<GuestHandler> handler)
      : inner_(std::move(inner)), handler_(std::move(handler)) {}

  Task<> serve(RequestContext& context) override;

 private:
  Task<> serve_inner(RequestContext& context, CapturedResponse& captured);
  Task<> transform(RequestContext& context, CapturedResponse& captured);
  Task<> pass_on(RequestContext& context, CapturedResponse& captured);

  std::unique_ptr<Backend> inner_;
  std::unique_ptr<GuestHandler> handler_;
};

}  // namespace tollgate::gateway
