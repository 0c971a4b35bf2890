// Who is told how requests went: the seam between those who serve (dispatcher, backends) and who counts and
// logs (stats_recorder.hpp).
//
// One observer per worker; it outlives the dispatchers, so it goes on over reloads. Threads: the worker's one
// thread. Nothing here waits, fails, or allocates per request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/async.hpp"
#include "gateway/backend.hpp"
#include "http/reason.hpp"
#include "sandbox/program.hpp"

namespace tollgate::gateway {

// What became of one request. Views are valid during RequestObserver::ended only.
struct RequestRecord {
  static constexpr std::uint32_t no_route = UINT32_MAX;

  std::uint32_t slot = no_route;         // Route::slot
  std::string_view route_name;           // Route::name(), or "" without a route
  int status = 0;                        // 0: no head was sent
  const http::Reason* reason = nullptr;  // nullptr: answered as asked
  std::string_view detail;               // one sentence, mostly empty

  std::string_view request_id;
  std::string_view method;
  std::string_view target;
  std::string_view remote_address;

  SteadyTime received;                 // head complete
  std::chrono::nanoseconds queued{};   // waited for admission
  std::chrono::nanoseconds handled{};  // from admission until the backend was done
  std::chrono::nanoseconds total{};    // from `received` until the response was handed to the kernel
  std::uint64_t request_bytes = 0;     // body, as far as it arrived
  std::uint64_t response_bytes = 0;    // body sent

  const sandbox::Costs* guest = nullptr;  // of the guest that ran, if one did
  const ProgramCosts* program = nullptr;  // that was spawned, if one was
  UpstreamUse upstream;

  // The outcome label: "ok", or the reason's word.
  std::string_view outcome() const { return reason == nullptr ? std::string_view("ok") : reason->word; }
};

class RequestObserver {
 public:
  virtual ~RequestObserver() = default;

  // Once per request, after its response left or it is certain that none will.
  virtual void ended(const RequestRecord& record) = 0;

  // A request that never became an exchange, or whose connection failed (http::Handler::refused).
  virtual void refused(const http::Reason& reason, std::string_view remote_address) = 0;

  // A sandbox begins and ends. Called in pairs: use ActiveSandbox.
  virtual void sandbox_begun(std::uint32_t slot) = 0;
  virtual void sandbox_ended(std::uint32_t slot) = 0;

  // A line that a guest wrote to stderr, without its end. Guests write in pieces: use GuestStderr.
  virtual void guest_line(std::string_view request_id, std::string_view route_name,
                          std::string_view line) = 0;
};

// Counts a sandbox as active for the guard's life.
class ActiveSandbox {
 public:
  ActiveSandbox(RequestObserver& observer, std::uint32_t slot) : observer_(observer), slot_(slot) {
    observer_.sandbox_begun(slot_);
  }
  ~ActiveSandbox() { observer_.sandbox_ended(slot_); }
  ActiveSandbox(const ActiveSandbox&) = delete;
  ActiveSandbox& operator=(const ActiveSandbox&) = delete;

 private:
  RequestObserver& observer_;
  std::uint32_t slot_;
};

// Puts together the lines of one guest's stderr: for the Sink::log of a run. What is left at the end is a
// line too. Allocates only when a guest writes part of a line. The views must outlive it.
class GuestStderr {
 public:
  static constexpr std::size_t line_bytes_max = 1024;  // a longer one becomes several

  GuestStderr(RequestObserver& observer, std::string_view request_id, std::string_view route_name)
      : observer_(observer), request_id_(request_id), route_name_(route_name) {}
  ~GuestStderr() {
    if (!partial_.empty()) emit(partial_);
  }
  GuestStderr(const GuestStderr&) = delete;
  GuestStderr& operator=(const GuestStderr&) = delete;

  void write(std::string_view bytes);

 private:
  void emit(std::string_view line) { observer_.guest_line(request_id_, route_name_, line); }

  RequestObserver& observer_;
  std::string_view request_id_;
  std::string_view route_name_;
  std::string partial_;
};

}  // namespace tollgate::gateway
