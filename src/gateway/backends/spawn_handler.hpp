// A route's program: what each of its runs is given, and one run of it for one request. Used by the backends
// `spawn` and `transform`. The program is a command of the configuration, or an engine's command line with a
// module.
//
// Threads: the worker's one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "gateway/abi/cgi_request.hpp"
#include "gateway/backend.hpp"
#include "gateway/config/config.hpp"
#include "gateway/guests/admission.hpp"
#include "gateway/guests/guest_services.hpp"
#include "gateway/spawn/program_run.hpp"
#include "gateway/worker_services.hpp"

namespace tollgate::gateway {

struct TableResources;

// Made when the table is loaded. `route`, `resources` and `services` outlive it.
class SpawnHandler {
 public:
  // The error is a sentence that names what is missing.
  static expected<std::unique_ptr<SpawnHandler>, std::string> make(const Route& route,
                                                                   const TransformConfig& program,
                                                                   const TableResources& resources,
                                                                   WorkerServices& services);

  // What a run gets: variables "NAME=value", and words after the guest's own arguments, of which a command
  // gets none.
  struct Variables {
    std::span<const std::string_view> environment;
    std::span<const std::string_view> args;  // argv[0] first
  };

  // Waits for a place, runs the program on `body` and collects what it writes in `output`. True: that is an
  // answer; otherwise context.reason says why not. Completes when nothing of the program is left.
  Task<bool> run(RequestContext& context, std::string_view body, Variables variables, std::string& output);

  const abi::RouteEnvironment& environment() const { return environment_; }
  GuestBufferPool& buffers() const { return services_.guests->buffers; }

 private:
  // How variables reach who is to see them.
  enum class Delivery : std::uint8_t {
    process,         // the environment of the process
    named_options,   // there, and `--env NAME` for each (wasmtime)
    valued_options,  // `--env NAME=value` for each (wasmedge)
  };
  struct Command {
    std::vector<std::string> argv;  // up to the variables
    std::string name;               // for the log
    Delivery delivery = Delivery::process;
    int module = -1;
    bool has_log_on_stdout = false;  // wasmedge's compiler writes its progress there before the guest starts
  };

  SpawnHandler(const Route& route, Command command, const std::map<std::string, std::string>& env,
               const std::vector<std::string>& args, WorkerServices& services);
  StartProgram start_of(const Variables& variables) const;
  // Gives the handler back if its configuration alone can be handed to the spawner.
  static expected<std::unique_ptr<SpawnHandler>, std::string> made(std::unique_ptr<SpawnHandler> handler);
  bool settle(RequestContext& context, ProgramOutcome outcome, std::string_view output) const;

  WorkerServices& services_;
  std::string name_;  // of the route, for the log
  std::uint32_t slot_;
  Command command_;
  abi::RouteEnvironment environment_;
  SpawnLimits limits_;
  ProgramBounds bounds_;
  ProgramInput::Output expected_output_ = ProgramInput::Output::little;  // as of the last run
  Admission admission_;
};

}  // namespace tollgate::gateway
