// An exchange without a connection, for tests of backends and of the dispatcher: a request made by hand, a
// body in pieces, and a record of what was answered.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.hpp"

namespace tollgate::gateway::testing {

class FakeBody final : public http::BodyReader {
 public:
  enum class Arrival { at_once, in_pieces };

  void set(std::vector<std::string> pieces, Arrival arrival) {
    pieces_ = std::move(pieces);
    arrival_ = arrival;
  }
  // read() gives this after the last piece instead of the end.
  void fail_at_end(const http::Reason& reason) { failure_ = &reason; }
  void arrived(SteadyTime when) { last_arrival_ = when; }
  std::uint64_t limit_bytes() const { return limit_; }

  void limit(std::uint64_t bytes) override { limit_ = bytes; }
  Task<expected<std::string_view, const http::Reason*>> read() override {
    if (next_ == pieces_.size()) {
      if (failure_ != nullptr) co_return unexpected(failure_);
      co_return std::string_view();
    }
    given_ += pieces_[next_].size();
    if (given_ > limit_) co_return unexpected(&http::reasons::body_too_large);
    co_return std::string_view(pieces_[next_++]);
  }
  std::optional<std::string_view> all_if_buffered() override {
    if (arrival_ == Arrival::in_pieces) return std::nullopt;
    return pieces_.empty() ? std::string_view() : std::string_view(pieces_.front());
  }
  std::uint64_t bytes_arrived() const override { return given_; }
  SteadyTime last_arrival() const override { return last_arrival_; }
  const http::Fields& trailers() const override { return trailers_; }

 private:
  SteadyTime last_arrival_{};
  std::vector<std::string> pieces_;
  Arrival arrival_ = Arrival::at_once;
  const http::Reason* failure_ = nullptr;
  std::size_t next_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t limit_ = UINT64_MAX;
  http::Fields trailers_;
};

class FakeResponse final : public http::ResponseWriter {
 public:
  // From now on every call fails with this.
  void fail(const http::Reason& reason) { failure_ = &reason; }

  Task<Result> inform(const http::ResponseHead&) override { co_return Result(); }
  Task<Result> send(const http::ResponseHead& head, std::string_view piece) override {
    if (failure_ != nullptr) co_return unexpected(failure_);
    take(head);
    body.assign(piece);
    length = piece.size();
    finished = true;
    co_return Result();
  }
  Task<Result> start(const http::ResponseHead& head, std::optional<std::uint64_t> bytes) override {
    if (failure_ != nullptr) co_return unexpected(failure_);
    take(head);
    length = bytes;
    co_return Result();
  }
  Task<Result> write(std::string_view piece) override {
    if (failure_ != nullptr) co_return unexpected(failure_);
    body.append(piece);
    ++writes;
    co_return Result();
  }
  Task<Result> finish(const http::Fields*) override {
    if (failure_ != nullptr) co_return unexpected(failure_);
    finished = true;
    co_return Result();
  }
  void abort() override { aborted = true; }
  bool started() const override { return status_ != 0; }
  int status() const override { return status_; }
  std::uint64_t body_bytes() const override { return body.size(); }

  std::optional<std::string> field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (http::equal_ignoring_case(key, name)) return value;
    }
    return std::nullopt;
  }

  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::optional<std::uint64_t> length;
  int writes = 0;
  int heads = 0;
  bool finished = false;
  bool aborted = false;

 private:
  void take(const http::ResponseHead& head) {
    ++heads;
    status_ = head.status;
    for (const http::Field& line : head.fields) fields.emplace_back(line.name, line.value);
  }

  int status_ = 0;
  const http::Reason* failure_ = nullptr;
};

class FakeClientWatch final : public http::Exchange::ClientWatch {
 public:
  void start() override { watching = true; }
  void stop() override { watching = false; }
  bool watching = false;
};

// `target` and the other texts must outlive the object.
struct FakeExchange {
  FakeExchange(std::string_view method, std::string_view target, std::string_view host = "a.example")
      : exchange{.request = request,
                 .body = body,
                 .response = response,
                 .cancellation = cancellation,
                 .remote_address = "192.0.2.7",
                 .remote_port = 4711,
                 .local_address = "127.0.0.1",
                 .local_port = 8080,
                 .received = std::chrono::steady_clock::now(),
                 .request_id = "id-of-this-exchange",
                 .extra_fields = {},
                 .client_watch = watch} {
    static constexpr std::pair<std::string_view, http::Method> known[] = {
        {"GET", http::Method::get},         {"HEAD", http::Method::head}, {"POST", http::Method::post},
        {"OPTIONS", http::Method::options}, {"PUT", http::Method::put},   {"DELETE", http::Method::delete_}};
    request.method = http::Method::other;
    for (const auto& [name, value] : known) request.method = name == method ? value : request.method;
    request.method_name = method;
    request.target = target;
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    request.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    request.authority = host;
    request.host = host;
  }
  FakeExchange(const FakeExchange&) = delete;
  FakeExchange& operator=(const FakeExchange&) = delete;

  http::Request request;
  FakeBody body;
  FakeResponse response;
  FakeClientWatch watch;
  http::Cancellation cancellation;
  http::Exchange exchange;
};

// Runs a task until it ends (or the loop has nothing more to do); exceptions come out.
inline void run(EventLoop& loop, Task<> task) {
  std::exception_ptr thrown;
  asio::co_spawn(loop, std::move(task), [&thrown](const std::exception_ptr& error) { thrown = error; });
  loop.restart();
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace tollgate::gateway::testing
