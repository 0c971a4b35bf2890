// One coroutine that waits for something to happen on its own thread: a receive, a deadline, another
// coroutine.
//
//   while (!condition()) { if (!wakeup.take()) co_await wakeup.wait(); }
//
// A notification without a waiter is remembered, so that none is lost; several count as one. At most one
// coroutine waits at a time.
#pragma once

#include <boost/asio/post.hpp>
#include <optional>
#include <utility>

#include "base/async.hpp"

namespace tollgate {

class Wakeup {
 public:
  explicit Wakeup(Executor executor) : executor_(executor) {}
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  // Takes a remembered notification, if there is one.
  bool take() { return std::exchange(notified_, false); }

  auto wait() {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
        [this](auto&& handler) { waiter_.emplace(std::forward<decltype(handler)>(handler)); }, use_task);
  }

  // Runs the waiter before it returns: the caller must touch nothing the waiter may have destroyed.
  void notify() {
    if (!waiter_) {
      notified_ = true;
      return;
    }
    Waiter waiter = std::move(*waiter_);
    waiter_.reset();
    std::move(waiter)();
  }

  // Lets the waiter run from the loop: for callers that go on afterwards.
  void notify_later() {
    if (!waiter_) {
      notified_ = true;
      return;
    }
    asio::post(executor_, [waiter = std::move(*waiter_)]() mutable { std::move(waiter)(); });
    waiter_.reset();
  }

 private:
  using Waiter = typename asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;

  Executor executor_;
  std::optional<Waiter> waiter_;
  bool notified_ = false;
};

}  // namespace tollgate
