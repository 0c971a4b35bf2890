#include "gateway/guests/captured_response.hpp"

#include <algorithm>

#include "gateway/reasons.hpp"

namespace tollgate::gateway {
namespace {

// RFC 9110 sections 8.6, 8.8.3 and 14.3, RFC 9530: true of the captured body only.
constexpr std::string_view fields_of_one_body[] = {
    "content-length", "etag", "accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"};

}  // namespace

void CapturedResponse::keep(const http::ResponseHead& head) {
  state_ = State::open;
  status_ = head.status;
  owned_.clear();
  for (const http::Field& field : head.fields)
    owned_.push_back({std::string(field.name), std::string(field.value)});
}

http::ResponseWriter::Result CapturedResponse::append(std::string_view piece) {
  if (state_ == State::too_large || piece.size() > body_bytes_max_ - body_.size()) {
    state_ = State::too_large;
    return unexpected(&reasons::output);
  }
  body_.append(piece);
  return {};
}

Task<http::ResponseWriter::Result> CapturedResponse::send(const http::ResponseHead& head,
                                                          std::string_view body) {
  keep(head);
  const Result appended = append(body);
  if (appended) state_ = State::complete;
  co_return appended;
}

Task<http::ResponseWriter::Result> CapturedResponse::start(const http::ResponseHead& head,
                                                           std::optional<std::uint64_t> length) {
  keep(head);
  if (length && *length > body_bytes_max_) {
    state_ = State::too_large;
    co_return unexpected(&reasons::output);
  }
  co_return Result{};
}

Task<http::ResponseWriter::Result> CapturedResponse::write(std::string_view piece) {
  co_return append(piece);
}

Task<http::ResponseWriter::Result> CapturedResponse::finish(const http::Fields*) {
  if (state_ == State::too_large) co_return unexpected(&reasons::output);
  state_ = State::complete;
  co_return Result{};
}

std::vector<http::Field>& CapturedResponse::fields_of_another_body() {
  fields_.clear();
  for (const OwnedField& field : owned_) {
    const bool gone =
        std::any_of(std::begin(fields_of_one_body), std::end(fields_of_one_body),
                    [&](std::string_view name) { return http::equal_ignoring_case(name, field.name); });
    if (!gone) fields_.push_back({field.name, field.value});
  }
  return fields_;
}

}  // namespace tollgate::gateway
