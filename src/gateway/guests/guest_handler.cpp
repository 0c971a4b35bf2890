#include "gateway/guests/guest_handler.hpp"

#include "gateway/reasons.hpp"
#include "gateway/routing/loaded_table.hpp"

namespace tollgate::gateway {
namespace {

// Why an outcome is not an answer; nullptr when it is one. Each ending has one reason (reasons.hpp).
const http::Reason* reason_of(const sandbox::Outcome& outcome, const http::Cancellation& cancellation) {
  switch (outcome.ending) {
    case sandbox::Ending::done:
      return nullptr;
    case sandbox::Ending::exit_code:
      return &reasons::exit_code;
    case sandbox::Ending::trap:
      return &reasons::trap;
    case sandbox::Ending::memory:
      return &reasons::memory;
    case sandbox::Ending::cpu:
      return &reasons::cpu;
    case sandbox::Ending::cancelled:
      return cancellation.cause() != nullptr ? cancellation.cause() : &http::reasons::internal;
    case sandbox::Ending::output:
      return &reasons::output;
    case sandbox::Ending::capacity:
      return &reasons::capacity;
    case sandbox::Ending::engine:
      return &http::reasons::internal;
  }
  return &http::reasons::internal;
}

// What other clients' answers may wait for, behind one guest after another in a turn of the loop.
constexpr std::chrono::microseconds brief_run_max{50};

sandbox::Limits limits_of(const Limits& limits) {
  return {.memory_bytes_max = limits.memory_bytes,
          .output_bytes_max = limits.output_bytes,
          .stderr_bytes_max = limits.stderr_bytes,
          .cpu_max = limits.cpu};
}

}  // namespace

expected<std::unique_ptr<GuestHandler>, std::string> GuestHandler::make(const Route& route,
                                                                        const WasmBackend& guest,
                                                                        const TableResources& resources,
                                                                        WorkerServices& services) {
  const auto program = resources.programs.find(guest.module);
  if (program == resources.programs.end() || !program->second) {
    return unexpected("module " + guest.module + " was not loaded");
  }
  std::vector<sandbox::Directory> directories;
  for (const DirectoryGrant& grant : guest.dirs) {
    const auto directory = resources.directories.find(grant.host);
    if (directory == resources.directories.end())
      return unexpected("directory " + grant.host + " was not opened");
    directories.push_back({directory->second.get(), grant.guest, grant.write});
  }
  if (services.guests == nullptr) return unexpected(std::string("this worker runs no guests"));
  return std::unique_ptr<GuestHandler>(
      new GuestHandler(route, guest, program->second, std::move(directories), services));
}

GuestHandler::GuestHandler(const Route& route, const WasmBackend& guest,
                           std::shared_ptr<sandbox::Program> program,
                           std::vector<sandbox::Directory> directories, WorkerServices& services)
    : services_(services),
      name_(route.name()),
      slot_(route.slot),
      program_(std::move(program)),
      directories_(std::move(directories)),
      environment_(std::string(program_->name()), guest.env, guest.args),
      limits_(limits_of(route.limits)),
      admission_(services.executor, services.counts, services.mark, route.slot,
                 {route.limits.concurrent, route.limits.queue}) {}

Task<expected<Admission::Permit, const http::Reason*>> GuestHandler::admit(RequestContext& context) {
  const SteadyTime begun = std::chrono::steady_clock::now();
  const ClientWatchGuard watch(context.exchange);
  auto permit = co_await admission_.enter(context.exchange.cancellation);
  context.queued += std::chrono::steady_clock::now() - begun;
  co_return permit;
}

GuestInvocation::GuestInvocation(GuestHandler& handler, RequestContext& context, std::string& output)
    : handler_(handler),
      context_(context),
      output_(output, handler.services_.observer, context.exchange.request_id, handler.name_) {}

bool GuestInvocation::begin(std::string_view body, std::span<const std::string_view> environment,
                            std::span<const std::string_view> args) {
  body_ = sandbox::WholeBody(body);
  const sandbox::Input input{.body = &body_,
                             .streams = sandbox::Streams::at_hand,
                             .args = args,
                             .environment = environment,
                             .directories = handler_.directories_,
                             .limits = handler_.limits_};
  if (!handler_.brief_) handler_.services_.guests->scheduler.before_long_slice();
  active_.emplace(handler_.services_.observer, handler_.slot_);
  run_ = handler_.program_->start(input, output_);
  guest_.emplace(handler_.services_.guests->scheduler, *run_, handler_.slot_, context_.exchange.cancellation);
  in_first_slice_ = guest_->try_first_slice();
  return in_first_slice_;
}

Task<> GuestInvocation::ended() {
  const ClientWatchGuard watch(context_.exchange);
  co_await guest_->ended();
}

bool GuestInvocation::settle() {
  guest_.reset();
  sandbox::Outcome outcome = run_->take_outcome();
  run_.reset();
  active_.reset();
  const std::chrono::nanoseconds took = outcome.costs.instantiate + outcome.costs.run;
  handler_.brief_ = took <= brief_run_max;
  if (in_first_slice_) handler_.services_.guests->scheduler.charge(took);
  context_.guest = outcome.costs;
  context_.reason = reason_of(outcome, context_.exchange.cancellation);
  if (context_.reason != nullptr) context_.detail = std::move(outcome.detail);
  if (context_.reason == &reasons::exit_code)
    context_.detail = "exit code " + std::to_string(outcome.exit_code);
  return context_.reason == nullptr;
}

Task<expected<std::string_view, const http::Reason*>> read_whole_body(http::Exchange& exchange,
                                                                      std::string& collected) {
  if (const auto all = exchange.body.all_if_buffered()) co_return *all;
  constexpr std::uint64_t reserved_bytes_max = 1u << 20;  // a Content-Length is only a promise
  collected.reserve(std::min(exchange.request.content_length.value_or(0), reserved_bytes_max));
  for (;;) {
    const auto piece = co_await exchange.body.read();
    if (!piece) co_return unexpected(piece.error());
    if (piece->empty()) co_return std::string_view(collected);
    collected.append(*piece);
  }
}

}  // namespace tollgate::gateway
