// A route's requests, each answered by a guest in its own fresh sandbox.
//
// The whole body is read before a sandbox is taken, and nothing is sent before the guest has ended: a core
// module's answer is known only then. Limits::body_bytes and output_bytes bound both.
//
// The usual request never waits: its body is there, so is a place, the guest ends in its first slice and the
// socket takes the answer. It costs no coroutine; what waits goes on in one from where it had come to.
#pragma once

#include <memory>
#include <optional>

#include "base/object_pool.hpp"
#include "gateway/backend.hpp"
#include "gateway/backends/handler_answer.hpp"
#include "gateway/guests/guest_handler.hpp"

namespace tollgate::gateway {

class SandboxBackend final : public Backend {
 public:
  SandboxBackend(Abi abi, std::unique_ptr<GuestHandler> handler) : abi_(abi), handler_(std::move(handler)) {}

  Task<> serve(RequestContext& context) override;

 private:
  // One request from its place to its answer, wherever it is served: on the stack first, in a coroutine
  // later.
  struct Serving {
    Serving(GuestHandler& handler, RequestContext& context, Admission::Permit given)
        : buffers(handler.buffers()),
          permit(std::move(given)),
          invocation(handler, context, buffers->output) {}

    GuestBufferPool::Lease buffers;
    std::optional<Admission::Permit> permit;
    GuestInvocation invocation;
  };
  using Servings = ObjectPool<Serving>;

  Task<> serve_when_ready(RequestContext& context);
  Task<> run(RequestContext& context, std::string_view body, Admission::Permit permit);
  Task<> run_on(RequestContext& context, Servings::Pointer serving);
  Task<> answer(RequestContext& context, Servings::Pointer serving);
  Task<> send_rest(RequestContext& context, Servings::Pointer serving, HandlerAnswer answer);

  static constexpr std::size_t idle_servings_max = 16;

  Abi abi_;
  std::unique_ptr<GuestHandler> handler_;
  Servings servings_{idle_servings_max};
};

}  // namespace tollgate::gateway
