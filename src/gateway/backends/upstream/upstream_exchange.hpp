// One exchange through the reverse proxy, from the request's head to the connection's return to its pool.
//
// run() is the one coroutine that reads the upstream and writes to the client. A request body that has not
// arrived whole is sent by a second one, pump(), at the same time; run() never returns before pump() has
// ended.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/wakeup.hpp"
#include "gateway/backend.hpp"
#include "gateway/backends/upstream/forwarding.hpp"
#include "gateway/backends/upstream/upstream_addresses.hpp"
#include "http/client_connection.hpp"

namespace tollgate::gateway {

class UpstreamExchange {
 public:
  // All of it; what is passed by reference must outlive the task.
  static Task<> run(Executor executor, RequestContext& context, Upstream& upstream,
                    const UpstreamTarget& target);

  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

 private:
  using Progress = http::ClientConnection::Progress;
  using Sent = http::ClientConnection::Sent;
  using Waited = http::ClientConnection::Waited;
  enum class Verdict : std::uint8_t { go_on, retry, failed };
  enum class Answer : std::uint8_t { none, whole, in_pieces };

  UpstreamExchange(Executor executor, RequestContext& context, Upstream& upstream,
                   const UpstreamTarget& target);

  bool body_is_allowed();
  bool may_be_sent_again() const;
  Verdict take_connection(int attempt);
  Task<Verdict> connect();
  Sent send_head();
  Task<Verdict> flush_head();
  void send_body();
  Task<> pump();
  Task<bool> pump_piece(std::string_view piece);
  Task<> stop_pump();

  void begin_wait();
  Verdict end_wait();
  void stop_watching();
  Verdict judge_failure();
  Task<> forward_interim();
  Answer look_at_answer(std::string_view& piece);
  Task<> respond_in_pieces(std::string_view piece);
  void make_head();
  bool is_within_limit(std::uint64_t body_bytes);

  Verdict fail(const http::Reason& reason, std::string_view detail);
  Verdict fail_by_connection();
  void cut(const http::Reason& reason, std::string_view detail);
  void client_failed(const http::Reason& reason);

  Executor executor_;
  RequestContext& context_;
  http::Exchange& exchange_;
  Upstream& upstream_;
  const UpstreamTarget& target_;
  std::shared_ptr<http::ClientConnection> connection_;

  RequestFraming framing_;
  std::optional<std::string_view> whole_body_;
  bool pooled_ = false;    // connection_ had been used before
  bool pumping_ = false;   // pump() runs
  bool watching_ = false;  // for a client that goes away
  bool waits_on_ = false;  // the wait that begins goes on until waits_until_ as the last one did
  SteadyTime waits_until_;
  http::ResponseHead head_;  // its views are in connection_->scratch() and status_text_
  const http::Reason* body_failure_ = nullptr;
  Wakeup pump_ended_;
  std::array<char, 4> status_text_{};
};

}  // namespace tollgate::gateway
