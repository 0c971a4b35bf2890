// `native = "echo"`: any method; answers `echo: ` and the request body, piece by piece as it arrives.
#pragma once

#include "gateway/backend.hpp"

namespace tollgate::gateway {

class EchoBackend final : public Backend {
 public:
  explicit EchoBackend(const Route& route);

  Task<> serve(RequestContext& context) override;

 private:
  Task<> stream(RequestContext& context);

  std::span<const http::Field> fields_;
};

}  // namespace tollgate::gateway
