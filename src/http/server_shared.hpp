// What the connections of one worker share: limits, counters, and things that are made once and used by all.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/read_poll.hpp"
#include "base/timer_wheel.hpp"
#include "base/turn_end.hpp"
#include "http/exchange.hpp"
#include "http/limits.hpp"
#include "http/request_id.hpp"
#include "http/response_head.hpp"

namespace tollgate::http {

// What a connection may be waiting for; each has its timeout in ServerLimits.
enum class Phase : std::uint8_t { none, idle, head, body, write, linger };
inline constexpr std::size_t phases = 6;

// For the metrics; only ever written by the worker's thread.
struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;
  std::uint64_t open = 0;
  std::uint64_t requests = 0;                    // heads that became an exchange
  std::uint64_t refused = 0;                     // heads that did not
  std::uint64_t refused_at_cap = 0;              // connections beyond connections_max
  std::uint64_t closed_for_room = 0;             // idle ones that made room at the cap
  std::uint64_t accept_errors = 0;               // accepting failed and paused
  std::array<std::uint64_t, phases> timeouts{};  // by Phase
};

using BodyBuffer = std::unique_ptr<std::array<char, body_piece_bytes>>;

struct ServerShared {
  ServerShared(EventLoop& loop, TimerWheel& timer_wheel, Handler& request_handler, Log& process_log,
               const ServerLimits& server_limits)
      : turn_end(asio::use_service<TurnEnd>(loop)),
        read_poll(asio::use_service<ReadPoll>(loop)),
        wheel(timer_wheel),
        handler(request_handler),
        log(process_log),
        limits(server_limits) {}

  TurnEnd& turn_end;
  ReadPoll& read_poll;
  TimerWheel& wheel;
  Handler& handler;
  Log& log;
  ServerLimits limits;
  ServerCounters counters;
  DateLine date;
  RequestIds request_ids;
  std::string head;          // where heads are written before they go out; nobody keeps it over a wait
  bool draining = false;     // answers say that the connection closes
  bool closes_idle = false;  // and nobody waits for a next request any more

  Duration timeout(Phase phase) const;
  BodyBuffer take_body_buffer();
  void give_back(BodyBuffer buffer);

 private:
  std::vector<BodyBuffer> spare_body_buffers_;
};

}  // namespace tollgate::http
