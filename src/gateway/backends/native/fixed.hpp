// Answers that never change: `native = "hello"`, `native = "health"` and `respond = { status, body }`.
#pragma once

#include <memory>
#include <string>

#include "gateway/backend.hpp"

namespace tollgate::gateway {

class FixedBackend final : public Backend {
 public:
  // A Content-Type among the route's headers replaces the default, text/plain.
  FixedBackend(int status, std::string body, const Route& route);

  const FixedResponse* fixed_response() const override { return &response_; }
  Task<> serve(RequestContext& context) override;

 private:
  std::string body_;
  FixedResponse response_;
};

std::unique_ptr<Backend> make_hello(const Route& route);
std::unique_ptr<Backend> make_health(const Route& route);

}  // namespace tollgate::gateway
