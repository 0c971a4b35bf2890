// A response that is kept instead of sent, so that a backend's answer can be changed before it leaves.
#pragma once

#include <string>
#include <vector>

#include "http/exchange.hpp"

namespace tollgate::gateway {

class CapturedResponse final : public http::ResponseWriter {
 public:
  // A body larger than `body_bytes_max` makes the call that passes it fail with reasons::output, and all
  // later ones. `onward` gets the 1xx responses.
  CapturedResponse(http::ResponseWriter& onward, std::uint64_t body_bytes_max)
      : onward_(onward), body_bytes_max_(body_bytes_max) {}

  Task<Result> inform(const http::ResponseHead& head) override { return onward_.inform(head); }
  Task<Result> send(const http::ResponseHead& head, std::string_view body) override;
  Task<Result> start(const http::ResponseHead& head, std::optional<std::uint64_t> length) override;
  Task<Result> write(std::string_view piece) override;
  // Trailers are dropped: they speak of another body.
  Task<Result> finish(const http::Fields* trailers) override;
  void abort() override { state_ = State::aborted; }

  bool started() const override { return status_ != 0; }
  int status() const override { return status_; }
  std::uint64_t body_bytes() const override { return body_.size(); }

  // A whole response was given.
  bool complete() const { return state_ == State::complete; }
  bool too_large() const { return state_ == State::too_large; }
  std::string_view body() const { return body_; }

  // Its head without the fields that describe the body that was, and with room for more. Valid until the next
  // call.
  std::vector<http::Field>& fields_of_another_body();

 private:
  enum class State : std::uint8_t { none, open, complete, aborted, too_large };
  struct OwnedField {
    std::string name;
    std::string value;
  };

  void keep(const http::ResponseHead& head);
  Result append(std::string_view piece);

  http::ResponseWriter& onward_;
  std::uint64_t body_bytes_max_;
  State state_ = State::none;
  int status_ = 0;
  std::vector<OwnedField> owned_;
  std::vector<http::Field> fields_;
  std::string body_;
};

}  // namespace tollgate::gateway
