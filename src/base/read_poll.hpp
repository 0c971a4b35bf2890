// Tells when sockets have become readable. Asio's own reads begin with an attempt; after an answer that finds
// nothing, a system call per request. Here a read is made when there is something to read. Of all sockets
// that became readable together everything is received first, and then their readers go on, one after
// another: the kernel's receiving and what a request needs do not push each other out of the processor's
// caches.
//
// One per event loop, found through it: asio::use_service<ReadPoll>(loop). An epoll of its own, whose
// descriptor the loop watches; edge-triggered, so that a socket is registered once for its life.
//
// Threads: the loop's one.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/async.hpp"
#include "base/turn_end.hpp"

namespace tollgate {

class ReadPoll final : public asio::execution_context::service {
 public:
  using key_type = ReadPoll;
  inline static asio::execution_context::id id;

  enum class Seen : std::uint8_t {
    bytes,
    end,  // of the stream, or an error, maybe behind bytes: no further event will come
  };
  class Reader {
   public:
    // The time to receive. Calls nobody.
    virtual void on_readable(Seen seen) = 0;
    // After on_readable() of all that became readable with it. May destroy the reader, and forget others.
    virtual void go_on() = 0;

   protected:
    ~Reader() = default;
  };

  explicit ReadPoll(asio::execution_context& loop);

  // Tells of what is there already, too. False when the kernel refuses. Until forget(), which must come
  // before the descriptor is closed.
  [[nodiscard]] bool watch(int fd, Reader& reader);
  // Tells once more of what was told before, from the loop.
  void tell_again(int fd, Reader& reader);
  void forget(int fd, Reader& reader);

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  static constexpr int batch_max = 64;

  void shutdown() override;
  bool control(int operation, int fd, Reader& reader);
  bool open();
  void wait();
  void dispatch();

  TurnEnd& turn_end_;
  Descriptor descriptor_;  // open from the first watch() on
  std::array<epoll_event, batch_max> batch_{};
  int batch_end_ = 0;  // of those not told yet
};

}  // namespace tollgate
