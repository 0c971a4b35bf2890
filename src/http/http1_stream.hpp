// One client's socket with its input buffer and the deadline of the phase it is in. Everything that waits for
// this client waits here, one thing at a time in each direction.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/read_poll.hpp"
#include "base/timer_wheel.hpp"
#include "base/turn_end.hpp"
#include "base/unique_fd.hpp"
#include "base/wakeup.hpp"
#include "http/input_buffer.hpp"
#include "http/reason.hpp"
#include "http/server_shared.hpp"

namespace tollgate::http {

inline constexpr std::size_t iovec_max = 4;

class Http1Stream final : private TurnEnd::Item, private ReadPoll::Reader {
 public:
  // Is told once that the client's stream has ended or failed.
  class EndListener {
   public:
    virtual void on_end() = 0;

   protected:
    ~EndListener() = default;
  };

  Http1Stream(ServerShared& shared, EventLoop& loop, UniqueFd connected);
  ~Http1Stream() { close(); }
  Http1Stream(const Http1Stream&) = delete;
  Http1Stream& operator=(const Http1Stream&) = delete;

  // The connected, non-blocking descriptor, for what does not wait.
  int fd() const { return fd_; }

  // For writes and waits that Asio makes. The first call registers the descriptor with its reactor.
  TcpSocket& socket();
  Executor executor() { return socket_.get_executor(); }
  InputBuffer& input() { return input_; }

  // Around a wait for bytes: when the phase's timeout has passed, the reader is woken with an error and
  // expired() names the phase. Several reads may share one deadline: end_wait only when it no longer counts.
  void begin_wait(Phase phase);
  void end_wait();
  Phase waiting_in() const { return reading_.phase; }
  Phase expired() const { return reading_.expired; }

  // What is there, at most space.size() bytes; nullopt: nothing yet, co_await readable(space) and ask again,
  // with the same space: it may have been received into by then.
  // Errors: eof, operation_aborted after interrupt(), what the kernel says. The first time that there is
  // nothing registers the descriptor with the read poll, so that a connection whose only request is there
  // when it is accepted costs neither that nor its undoing.
  struct Received {
    error_code error;
    std::size_t bytes = 0;
  };
  std::optional<Received> receive(std::span<char> space);
  auto readable(std::span<char> space) {
    reader_waits_ = true;
    awaited_space_ = space;
    return readable_wakeup_.wait();
  }

  // For as long as nobody reads: what waits to be read does not hide the end. The listener hears from the
  // loop, never from within the call, and outlives the stream or is forgotten.
  void listen_for_end(EndListener& listener);
  void forget_end() { end_listener_ = nullptr; }

  // Reads what is there into `space`, waiting for it under `phase`'s deadline. 0 means the client has closed.
  // Errors: request_timeout, client_gone.
  Task<expected<std::size_t, const Reason*>> read_some(std::span<char> space, Phase phase);

  // A small message, to be sent at the end of the loop's turn: its bytes are swapped or copied out of
  // `message`. False: too much waits already, nothing was taken. All writes below come after it.
  [[nodiscard]] bool send_at_turn_end(std::string& message);

  // What waits to be sent leaves now; completes when the kernel has it, the client is gone, or
  // leave_sending().
  Task<> send_waiting();

  // A small message behind all that waits. It is sent whole or not at all, even if leave_sending() ends the
  // wait for it; it stays where it is until then. Errors: write_timeout, client_gone.
  Task<expected<void, const Reason*>> send_small(std::string_view message);

  // The kernel takes no more now.
  bool waits_to_send() const { return write_under_way_; }

  // Whoever waits for send_waiting() or send_small() goes on now; the sending goes on, too.
  void leave_sending();

  // One gathered write that does not wait: bytes taken, or -1 when the client is gone.
  std::ptrdiff_t try_write(std::span<iovec> pieces);

  // The rest, after `taken` bytes, as the kernel takes it; each byte taken starts the deadline anew. At most
  // iovec_max pieces. Errors: write_timeout, client_gone.
  Task<expected<void, const Reason*>> write_rest(std::span<iovec> pieces, std::size_t taken);

  // Sends what waits and ends the stream to the client. What the client still sends is read away, within
  // bounds, so that closing does not reset what it has not read.
  Task<> linger(std::size_t bytes_max);

  // Wakes whoever reads with an error, once; what is being sent is sent.
  void interrupt_read();
  // Wakes whoever waits on the socket, with an error: once, or now and for good.
  void interrupt();
  void cut();

  // Closing will reset the connection instead of ending it.
  void reset_on_close();
  void close();

  // Completes when no operation is under way that would still touch this object. After close().
  Task<> quiet();

 private:
  // Reading and writing wait apart: a body may be read while an answer is written. The deadline stays armed
  // from wait to wait, at or before `until`, and looks when it expires: requests that come faster than
  // timeouts pass do not touch the timer wheel.
  struct Wait {
    explicit Wait(Http1Stream& owner) : stream(owner), deadline(&on_deadline, this) {}
    static void on_deadline(void* self);
    void begin(Phase waiting_phase);
    void end() { phase = Phase::none; }
    void arm();

    Http1Stream& stream;
    TimerWheel::Deadline deadline;
    SteadyTime armed_at{};
    SteadyTime until{};
    Phase phase = Phase::none;
    Phase expired = Phase::none;
  };

  void at_turn_end() override { send_waiting_now(); }
  void on_readable(ReadPoll::Seen seen) override;
  void go_on() override;
  std::optional<Received> attempt(std::span<char> space);
  bool watch();
  void send_waiting_now();
  void send_waiting_later();
  const Reason& why_not_sent() const;

  int fd_;  // owned by socket_ once that is open
  TcpSocket socket_;
  ServerShared& shared_;
  ReadPoll& read_poll_;  // the loop's: a connection that the loop's end destroys outlives the server
  InputBuffer input_;
  bool watched_ = false;       // by the read poll
  bool may_have_more_ = true;  // what was not there at the last attempt, or was not told yet
  bool stream_ends_ = false;   // no further event will tell of bytes
  bool reader_waits_ = false;
  std::span<char> awaited_space_;     // of the reader that waits
  std::optional<Received> received_;  // into it, since it waits
  bool interrupted_ = false;          // the reader, while it waited
  EndListener* end_listener_ = nullptr;
  Wakeup readable_wakeup_;

  Wait reading_{*this};
  Wait writing_{*this};

  std::string waiting_;           // to be sent at the end of the turn, or by the write under way
  bool write_under_way_ = false;  // of waiting_
  bool client_gone_ = false;      // waiting_ could not be sent
  bool sending_left_ = false;     // by whoever waits for it to be sent
  Wakeup sent_;                   // waiting_ has gone, one way or the other; or it was left
};

}  // namespace tollgate::http
