// `native = "json"`: takes a JSON object, adds two members, and answers it re-serialised without white space.
//
// Members keep their order. Top-level members named `tollgate` or `count` are left out; `"tollgate":true` and
// `"count":N` follow at the end, N being the number of top-level members received. Anything but one JSON
// object (RFC 8259) is 400 `document`. The guests json_transform in guests/ do the same work.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "gateway/backend.hpp"

namespace tollgate::gateway {

class JsonBackend final : public Backend {
 public:
  explicit JsonBackend(const Route& route);

  // Holds the body whole: `body` of the route bounds it.
  Task<> serve(RequestContext& context) override;

 private:
  std::span<const http::Field> fields_;
};

// The error is a sentence.
expected<std::string, std::string> transform_json(std::string_view document);

}  // namespace tollgate::gateway
