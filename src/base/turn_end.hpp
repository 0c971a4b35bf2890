// Work that is cheaper done together, at the end of the event loop's turn: when the handlers of all that was
// ready have run, and before the loop sleeps. Small answers leave this way: the first one wakes the client,
// and those behind it find it awake.
//
// One per event loop, found through it: asio::use_service<TurnEnd>(loop). Whoever is about to compute for
// long calls run() first, so that nothing waits behind it.
//
// Threads: the loop's one.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>

#include "base/async.hpp"

namespace tollgate {

class TurnEnd final : public asio::execution_context::service {
 public:
  using key_type = TurnEnd;
  inline static asio::execution_context::id id;

  // What waits for the end of a turn; forgotten when it is destroyed.
  class Item
      : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    virtual void at_turn_end() = 0;

   protected:
    ~Item() = default;
  };

  explicit TurnEnd(asio::execution_context& loop)
      : service(loop), executor_(static_cast<EventLoop&>(loop).get_executor()) {}

  // A handler that serves many in one go: their turn ends with it.
  class Scope {
   public:
    explicit Scope(TurnEnd& turn_end) : turn_end_(turn_end) { turn_end_.in_scope_ = true; }
    ~Scope() {
      turn_end_.in_scope_ = false;
      turn_end_.end();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    TurnEnd& turn_end_;
  };

  // Once in this turn. So many items that one would wait for long are not gathered.
  void add(Item& item) {
    if (item.is_linked()) return;
    items_.push_back(item);
    if (++gathered_ >= items_max) return run();
    if (in_scope_ || std::exchange(posted_, true)) return;
    asio::post(executor_, [this] {
      posted_ = false;
      end();
    });
  }

  // Changes with each turn that something waited in, or that was a scope's.
  std::uint32_t turn() const { return turn_; }

  void run() {
    gathered_ = 0;
    while (!items_.empty()) {
      Item& item = items_.front();
      items_.pop_front();
      item.at_turn_end();
    }
  }

 private:
  static constexpr int items_max = 64;

  void end() {
    ++turn_;
    run();
  }
  void shutdown() override { items_.clear(); }

  Executor executor_;
  boost::intrusive::list<Item, boost::intrusive::constant_time_size<false>> items_;
  std::uint32_t turn_ = 0;
  int gathered_ = 0;
  bool posted_ = false;
  bool in_scope_ = false;
};

}  // namespace tollgate
