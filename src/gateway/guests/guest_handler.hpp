// A route's guest: what each of its runs is given, and one run of it for one request. Used by the backends
// `sandbox` and `transform`, which differ in where the body comes from and where the output goes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "gateway/abi/cgi_request.hpp"
#include "gateway/backend.hpp"
#include "gateway/guests/admission.hpp"
#include "gateway/guests/guest_services.hpp"
#include "gateway/worker_services.hpp"
#include "sandbox/program.hpp"
#include "sandbox/whole_body.hpp"

namespace tollgate::gateway {

struct TableResources;

// Made when the table is loaded. `route`, `resources` and `services` outlive it.
class GuestHandler {
 public:
  // The error is a sentence that names what is missing.
  static expected<std::unique_ptr<GuestHandler>, std::string> make(const Route& route,
                                                                   const WasmBackend& guest,
                                                                   const TableResources& resources,
                                                                   WorkerServices& services);

  // A place for one run: `capacity`, or what cancelled the exchange. Waiting is counted in context.queued.
  Task<expected<Admission::Permit, const http::Reason*>> admit(RequestContext& context);
  std::optional<Admission::Permit> try_admit() { return admission_.try_enter(); }

  const abi::RouteEnvironment& environment() const { return environment_; }
  GuestBufferPool& buffers() const { return services_.guests->buffers; }

 private:
  friend class GuestInvocation;
  GuestHandler(const Route& route, const WasmBackend& guest, std::shared_ptr<sandbox::Program> program,
               std::vector<sandbox::Directory> directories, WorkerServices& services);

  WorkerServices& services_;
  std::string name_;  // of the route, for the log
  std::uint32_t slot_;
  std::shared_ptr<sandbox::Program> program_;
  std::vector<sandbox::Directory> directories_;
  abi::RouteEnvironment environment_;
  sandbox::Limits limits_;
  Admission admission_;
  bool brief_ = false;  // its last run was
};

// One run, from a fresh sandbox to its outcome. Lives in the frame of the coroutine that serves the request;
// what it is given must outlive it.
class GuestInvocation {
 public:
  // Output is collected in `output`, stderr goes to the log.
  GuestInvocation(GuestHandler& handler, RequestContext& context, std::string& output);
  GuestInvocation(const GuestInvocation&) = delete;
  GuestInvocation& operator=(const GuestInvocation&) = delete;

  // Begins and runs the first slice, if it is this guest's turn. True: it has ended.
  [[nodiscard]] bool begin(std::string_view body, std::span<const std::string_view> environment,
                           std::span<const std::string_view> args);
  // Until it has ended; when begin() said false.
  Task<> ended();

  // Tears the sandbox down and tells `context` what it cost and, unless all went well, the reason. True: it
  // did.
  [[nodiscard]] bool settle();

 private:
  class Output final : public sandbox::Sink {
   public:
    Output(std::string& to, RequestObserver& observer, std::string_view request_id,
           std::string_view route_name)
        : to_(to), lines_(observer, request_id, route_name) {}
    State write(std::string_view bytes) override {
      to_.append(bytes);  // bounded by Limits::output_bytes_max
      return State::accepted;
    }
    void log(std::string_view bytes) override { lines_.write(bytes); }

   private:
    std::string& to_;
    GuestStderr lines_;
  };

  GuestHandler& handler_;
  RequestContext& context_;
  sandbox::WholeBody body_;
  Output output_;
  std::optional<ActiveSandbox> active_;
  std::unique_ptr<sandbox::Run> run_;
  std::optional<GuestScheduler::Guest> guest_;
  bool in_first_slice_ = false;
};

// Everything of a request body; `collected` is used only when it is not all there yet.
Task<expected<std::string_view, const http::Reason*>> read_whole_body(http::Exchange& exchange,
                                                                      std::string& collected);

// Notices, for the guard's life, when the client goes away.
class ClientWatchGuard {
 public:
  explicit ClientWatchGuard(http::Exchange& exchange) : watch_(exchange.client_watch) { watch_.start(); }
  ~ClientWatchGuard() { watch_.stop(); }
  ClientWatchGuard(const ClientWatchGuard&) = delete;
  ClientWatchGuard& operator=(const ClientWatchGuard&) = delete;

 private:
  http::Exchange::ClientWatch& watch_;
};

}  // namespace tollgate::gateway
