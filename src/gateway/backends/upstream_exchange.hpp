// One exchange through the reverse proxy, from the request's head to the connection's return to its pool.
//
// run() is the one coroutine that reads the upstream and writes to the client. A request body that has not arrived
// whole is sent by a second one, pump(), at the same time; run() never returns before pump() has ended.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/wakeup.hpp"
#include "gateway/backend.hpp"
#include "gateway/backends/forwarding.hpp"
#include "gateway/upstream_addresses.hpp"
#include "http/client_connection.hpp"

namespace tollgate::gateway {

class UpstreamExchange {
 public:
  UpstreamExchange(Executor executor, RequestContext& context, Upstream& upstream, const UpstreamTarget& target);
  UpstreamExchange(const UpstreamExchange&) = delete;
  UpstreamExchange& operator=(const UpstreamExchange&) = delete;

  Task<> run();

 private:
  using Progress = http::ClientConnection::Progress;
  using Waited = http::ClientConnection::Waited;
  enum class Verdict : std::uint8_t { go_on, retry, failed };

  bool body_is_allowed();
  bool may_be_sent_again() const;
  Task<Verdict> connect();
  Task<Verdict> send_request();
  Task<> pump();
  Task<bool> pump_piece(std::string_view piece);
  Task<> stop_pump();

  Task<Verdict> await_head();
  Task<Verdict> wait_for_head();
  Task<> forward_interim();
  Task<> respond();
  Task<> respond_streaming(const http::ResponseHead& head, std::string_view piece);
  http::ResponseHead make_head();
  bool is_within_limit(std::uint64_t body_bytes);

  Verdict fail(const http::Reason& reason, std::string_view detail);
  Verdict fail_by_connection();
  void cut(const http::Reason& reason, std::string_view detail);

  Executor executor_;
  RequestContext& context_;
  http::Exchange& exchange_;
  Upstream& upstream_;
  const UpstreamTarget& target_;
  std::shared_ptr<http::ClientConnection> connection_;

  RequestFraming framing_;
  std::optional<std::string_view> whole_body_;
  bool pooled_ = false;       // connection_ had been used before
  bool pumping_ = false;      // pump() runs
  bool watching_ = false;     // for a client that goes away
  const http::Reason* body_failure_ = nullptr;
  Wakeup pump_ended_;
  std::array<char, 4> status_text_{};
};

}  // namespace tollgate::gateway
