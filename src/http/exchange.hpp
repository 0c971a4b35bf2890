// One request and its response: what a connection hands to whoever answers, and gets its answer
// through.
//
// A connection reads a request head, makes an Exchange, and awaits Handler::handle. The handler may read the
// body, sends exactly one response through `response`, and returns; the connection then reads on or closes.
// Whatever is awaited here completes on the worker's one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "http/message.hpp"
#include "http/reason.hpp"

namespace tollgate::http {

// Tells whoever works on an exchange that its result is no longer wanted. At most one hook at a time
// (backends nest by saving and restoring it); it runs once, synchronously, where the cause is noticed, and
// must not destroy the exchange: it cancels a socket or marks a guest and returns.
class Cancellation {
 public:
  struct Hook {
    void (*run)(void* context, const Reason& cause) = nullptr;
    void* context = nullptr;
  };

  // Puts a hook in force for the guard's life; if the exchange is already cancelled, runs it at once.
  class Guard {
   public:
    Guard(Cancellation& cancellation, Hook hook);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Cancellation& cancellation_;
    Hook previous_;
  };

  void cancel(const Reason& cause);               // the first cause stays
  const Reason* cause() const { return cause_; }  // nullptr: still wanted
  void reset() {
    cause_ = nullptr;
    hook_ = {};
  }

 private:
  const Reason* cause_ = nullptr;
  Hook hook_;
};

// The request body, pulled. Reading on is what sends `100 Continue` when the client waits for it.
class BodyReader {
 public:
  virtual ~BodyReader() = default;

  // Bytes above this make read() fail with body_too_large; set before the first read.
  virtual void limit(std::uint64_t bytes) = 0;

  // The next piece, valid until the next call; empty at the end. After an error the connection will close.
  virtual Task<expected<std::string_view, const Reason*>> read() = 0;

  // The whole body, if every byte of it has arrived already (always so when there is none): no suspension, no
  // copy. It takes nothing away: asked again it answers the same, and read() gives it as a piece.
  virtual std::optional<std::string_view> all_if_buffered() = 0;

  // A read() that waits fails with `cause` now, and so does every later one of a body that is not all there:
  // nobody wants it any more. Where reads never wait there is nothing to do.
  virtual void interrupt(const Reason&) {}

  // Content that has arrived so far, read or not: what a Content-Length promises does not count.
  virtual std::uint64_t bytes_arrived() const = 0;

  // When bytes of it arrived last after the head; the clock's epoch before that. The wait for an answer
  // begins there.
  virtual SteadyTime last_arrival() const = 0;

  // Trailer fields, valid after the end was read.
  virtual const Fields& trailers() const = 0;
};

// The response, pushed. Every call fails with client_gone or write_timeout once the client cannot be reached.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  using Result = expected<void, const Reason*>;

  // A 1xx response (not 101) ahead of the final one. Dropped for HTTP/1.0 clients.
  virtual Task<Result> inform(const ResponseHead& head) = 0;

  // A whole response: head and body leave in one gathered write, Content-Length is computed.
  virtual Task<Result> send(const ResponseHead& head, std::string_view body) = 0;

  // send() without a coroutine, which would cost as much as writing the head. nullopt: it did not go all the
  // way at once; the next call must be send() with the same arguments, which does what is left.
  virtual std::optional<Result> try_send(const ResponseHead&, std::string_view) { return std::nullopt; }

  // A response in pieces: start, any number of writes, finish. `length` nullopt means chunked (or, for
  // HTTP/1.0, close at the end). write() returns when the piece has been handed to the kernel: that is the
  // back-pressure.
  virtual Task<Result> start(const ResponseHead& head, std::optional<std::uint64_t> length) = 0;
  virtual Task<Result> write(std::string_view piece) = 0;
  virtual Task<Result> finish(const Fields* trailers = nullptr) = 0;

  // After start(), when the rest will not come: cuts the connection, so that the client sees a truncated
  // message.
  virtual void abort() = 0;

  virtual bool started() const = 0;              // a final head was sent
  virtual int status() const = 0;                // 0 before that
  virtual std::uint64_t body_bytes() const = 0;  // sent so far
};

struct Exchange {
  Request& request;
  BodyReader& body;
  ResponseWriter& response;
  Cancellation& cancellation;
  std::string_view remote_address;  // numeric, IPv6 without brackets or zone
  std::uint16_t remote_port = 0;
  std::string_view local_address;
  std::uint16_t local_port = 0;
  SteadyTime received;  // when the head was complete

  // The client's x-request-id if it is fit to be kept, else a new one; written into every final head.
  std::string_view request_id;
  // Set by the handler before it answers; written into every final head of this exchange.
  std::span<const Field> extra_fields;

  // Starts to notice a client that goes away while nothing is read or written for it (cancellation gets
  // client_gone). On a connection's first request that costs a system call: call it when about to wait, not
  // on the fast path.
  class ClientWatch {
   public:
    virtual ~ClientWatch() = default;
    virtual void start() = 0;
    virtual void stop() = 0;
  };
  ClientWatch& client_watch;
};

// Answers exchanges. Implemented by the gateway's dispatcher; one per worker, outlives its connections.
class Handler {
 public:
  virtual ~Handler() = default;

  // Must have sent a response, or aborted it, when the task ends. An empty task (`valid()` is false) says
  // that this is so already: what can be answered at once needs no coroutine.
  virtual Task<> handle(Exchange& exchange) = 0;

  // A request that never became an exchange, or whose connection failed: for the log and the metrics.
  virtual void refused(const Reason& reason, std::string_view remote_address) = 0;
};

// Answers with the reason's status, its word in `x-tollgate-error` and its sentence as text/plain.
Task<ResponseWriter::Result> send_error(Exchange& exchange, const Reason& reason,
                                        std::string_view detail = {}, std::span<const Field> fields = {});

}  // namespace tollgate::http
