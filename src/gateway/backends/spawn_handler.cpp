#include "gateway/backends/spawn_handler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/guests/guest_handler.hpp"
#include "gateway/reasons.hpp"
#include "gateway/routing/loaded_table.hpp"
#include "gateway/spawn/spawn_client.hpp"

namespace tollgate::gateway {
namespace {

using Ending = ProgramOutcome::Ending;

// All that a program of the configuration finds of an environment besides what its route gives it.
constexpr const char* minimal_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// How both engines end when the guest traps: 128 + SIGABRT.
constexpr int engine_trap_code = 134;

// WasmEdge tells on stdout, behind what the guest wrote, why it failed.
constexpr std::string_view engine_error_mark = "] [error] ";

std::uint64_t whole_seconds(Milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

// Lines such as "[2026-01-31 10:00:00.000] [info] compile start".
std::size_t log_lines_bytes(std::string_view output) {
  std::size_t bytes = 0;
  for (;;) {
    const std::string_view rest = output.substr(bytes);
    const std::size_t end = rest.find('\n');
    if (!rest.starts_with("[20") || end == std::string_view::npos) return bytes;
    if (rest.substr(0, end).find("] [info] ") == std::string_view::npos) return bytes;
    bytes += end + 1;
  }
}

std::string_view engine_error(std::string_view output) {
  const std::size_t mark = output.find(engine_error_mark);
  if (mark == std::string_view::npos) return {};
  const std::string_view rest = output.substr(mark + engine_error_mark.size());
  return rest.substr(0, rest.find('\n'));
}

const http::Reason* reason_of(const ProgramOutcome& outcome, const http::Cancellation& cancellation,
                              bool is_engine) {
  switch (outcome.ending) {
    case Ending::done:
      return nullptr;
    case Ending::exit_code:
      return is_engine && outcome.code == engine_trap_code ? &reasons::trap : &reasons::exit_code;
    case Ending::signal:
      return &reasons::trap;
    case Ending::cpu:
      return &reasons::cpu;
    case Ending::output:
      return &reasons::output;
    case Ending::cancelled:
      return cancellation.cause() != nullptr ? cancellation.cause() : &http::reasons::internal;
    case Ending::start:
      return &reasons::spawn;
  }
  return &http::reasons::internal;
}

}  // namespace

expected<std::unique_ptr<SpawnHandler>, std::string> SpawnHandler::make(const Route& route,
                                                                        const TransformConfig& program,
                                                                        const TableResources& resources,
                                                                        WorkerServices& services) {
  if (services.spawner == nullptr || services.guests == nullptr) {
    return unexpected(std::string("this worker starts no programs"));
  }
  if (const auto* spawn = std::get_if<SpawnBackend>(&program)) {
    Command command{.argv = spawn->argv, .name = spawn->argv.front()};
    return made(
        std::unique_ptr<SpawnHandler>(new SpawnHandler(route, std::move(command), spawn->env, {}, services)));
  }
  const auto& wasm = std::get<WasmBackend>(program);
  const auto module = resources.modules.find(module_name(wasm));
  if (module == resources.modules.end() || wasm.engine.empty()) {
    return unexpected("module " + wasm.module + " was not prepared");
  }
  const bool is_wasmtime = wasm.runtime == Runtime::wasmtime;
  Command command{.argv = wasm.engine,
                  .name = fmt::format("{} with {}", is_wasmtime ? "wasmtime" : "wasmedge", wasm.module),
                  .delivery = is_wasmtime ? Delivery::named_options : Delivery::valued_options,
                  .module = module->second.get(),
                  .has_log_on_stdout = !is_wasmtime && wasm.mode == EngineMode::jit};
  return made(std::unique_ptr<SpawnHandler>(
      new SpawnHandler(route, std::move(command), wasm.env, wasm.args, services)));
}

expected<std::unique_ptr<SpawnHandler>, std::string> SpawnHandler::made(
    std::unique_ptr<SpawnHandler> handler) {
  const abi::RouteEnvironment& configured = handler->environment_;
  const auto start = encode(handler->start_of({configured.variables(), configured.args()}));
  if (!start) return unexpected(handler->command_.name + ": " + start.error());
  return handler;
}

SpawnHandler::SpawnHandler(const Route& route, Command command, const std::map<std::string, std::string>& env,
                           const std::vector<std::string>& args, WorkerServices& services)
    : services_(services),
      name_(route.name()),
      slot_(route.slot),
      command_(std::move(command)),
      environment_(command_.argv.front(), env, args),
      limits_{.cpu_seconds = whole_seconds(route.limits.cpu)},
      bounds_{.output_bytes_max = route.limits.output_bytes, .stderr_bytes_max = route.limits.stderr_bytes},
      admission_(services.executor, services.counts, services.mark, route.slot,
                 {route.limits.concurrent, route.limits.queue}) {
  // An engine bounds its guest's memory itself, and needs memory of its own.
  if (command_.delivery == Delivery::process) limits_.memory_bytes = route.limits.memory_bytes;
}

StartProgram SpawnHandler::start_of(const Variables& variables) const {
  StartProgram start{.limits = limits_, .argv = command_.argv, .environment = {minimal_path}};
  for (const std::string_view variable : variables.environment) {
    if (command_.delivery != Delivery::process) start.argv.emplace_back("--env");
    if (command_.delivery == Delivery::named_options)
      start.argv.emplace_back(variable.substr(0, variable.find('=')));
    if (command_.delivery == Delivery::valued_options) {
      start.argv.emplace_back(variable);
    } else if (variable.starts_with("PATH=")) {
      start.environment.front() = variable;
    } else {
      start.environment.emplace_back(variable);
    }
  }
  if (command_.module < 0) return start;
  start.argv.emplace_back(program_module_path);
  for (const std::string_view word : variables.args.subspan(1)) start.argv.emplace_back(word);
  return start;
}

Task<bool> SpawnHandler::run(RequestContext& context, std::string_view body, Variables variables,
                             std::string& output) {
  const SteadyTime asked = std::chrono::steady_clock::now();
  const ClientWatchGuard watch(context.exchange);
  const auto permit = co_await admission_.enter(context.exchange.cancellation);
  const SteadyTime begun = std::chrono::steady_clock::now();
  context.queued += begun - asked;
  if (!permit) {
    context.reason = permit.error();
    co_return false;
  }
  GuestStderr lines(services_.observer, context.exchange.request_id, name_);
  const ActiveSandbox active(services_.observer, slot_);
  ProgramInput input{.start = start_of(variables),
                     .name = command_.name,
                     .body = body,
                     .module = command_.module,
                     .expected = expected_output_};
  const ProgramServices services{*services_.spawner, services_.wheel};
  ProgramOutcome outcome =
      co_await run_program(services, std::move(input), bounds_, context.exchange.cancellation, output, lines);
  expected_output_ = outcome.wrote_much ? ProgramInput::Output::much : ProgramInput::Output::little;
  context.program = ProgramCosts{.run = std::chrono::steady_clock::now() - begun,
                                 .cpu = outcome.cpu,
                                 .memory_bytes_peak = outcome.memory_bytes_peak};
  if (command_.has_log_on_stdout) output.erase(0, log_lines_bytes(output));
  co_return settle(context, std::move(outcome), output);
}

bool SpawnHandler::settle(RequestContext& context, ProgramOutcome outcome, std::string_view output) const {
  context.reason = reason_of(outcome, context.exchange.cancellation, command_.delivery != Delivery::process);
  if (context.reason == nullptr) return true;
  context.detail = std::move(outcome.detail);
  if (context.reason == &reasons::deadline) {
    context.detail = command_.name + " had not ended in time; raise the route's limit `deadline`";
  }
  if (outcome.ending == Ending::exit_code && command_.delivery == Delivery::valued_options) {
    const std::string_view error = engine_error(output);
    if (!error.empty()) context.detail.append("; it says: ").append(error);
  }
  return false;
}

}  // namespace tollgate::gateway
