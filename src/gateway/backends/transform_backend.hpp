// Any backend with a guest or a program behind it: the response body goes to its stdin, and what it writes to
// stdout is sent in its place, with the inner status and fields.
//
// Responses without a body (to HEAD, 204, 304) touch no guest, and neither does a failure of the gateway
// itself.
#pragma once

#include <memory>

#include "gateway/backend.hpp"
#include "gateway/backends/spawn_handler.hpp"
#include "gateway/guests/captured_response.hpp"
#include "gateway/guests/guest_handler.hpp"

namespace tollgate::gateway {

// What a body goes through.
class BodyFilter {
 public:
  virtual ~BodyFilter() = default;
  // Appends to `output` what becomes of `body`. False: it failed, and context.reason says why. Nothing of the
  // run is left when it completes, so that a slow client does not hold a place.
  virtual Task<bool> run(RequestContext& context, std::string_view body, std::string& output) = 0;
  virtual GuestBufferPool& buffers() const = 0;
};

class SandboxFilter final : public BodyFilter {
 public:
  explicit SandboxFilter(std::unique_ptr<GuestHandler> handler) : handler_(std::move(handler)) {}
  Task<bool> run(RequestContext& context, std::string_view body, std::string& output) override;
  GuestBufferPool& buffers() const override { return handler_->buffers(); }

 private:
  std::unique_ptr<GuestHandler> handler_;
};

class ProgramFilter final : public BodyFilter {
 public:
  explicit ProgramFilter(std::unique_ptr<SpawnHandler> handler) : handler_(std::move(handler)) {}
  Task<bool> run(RequestContext& context, std::string_view body, std::string& output) override;
  GuestBufferPool& buffers() const override { return handler_->buffers(); }

 private:
  std::unique_ptr<SpawnHandler> handler_;
};

class TransformBackend final : public Backend {
 public:
  TransformBackend(std::unique_ptr<Backend> inner, std::unique_ptr<BodyFilter> filter)
      : inner_(std::move(inner)), filter_(std::move(filter)) {}

  Task<> serve(RequestContext& context) override;

 private:
  Task<> serve_inner(RequestContext& context, CapturedResponse& captured);
  Task<> transform(RequestContext& context, CapturedResponse& captured);
  Task<> pass_on(RequestContext& context, CapturedResponse& captured);

  std::unique_ptr<Backend> inner_;
  std::unique_ptr<BodyFilter> filter_;
};

}  // namespace tollgate::gateway
