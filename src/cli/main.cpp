// The command line: one subcommand per file of this folder.
#include <wasmtime.h>

#include <string_view>

#include "cli/commands.hpp"
#include "gateway/process/spawner_process.hpp"
#include "gateway/process/worker.hpp"
#include "gateway/process/worker_process.hpp"
#include "sandbox/compiler_child.hpp"

int main(int argc, char** argv) {
  using namespace tollgate;
  // How the supervisor starts its workers and compilers: not for people, and not worth building the command
  // line for.
  if (argc == 2 && std::string_view(argv[1]) == gateway::worker_command) gateway::run_worker();
  if (argc == 2 && std::string_view(argv[1]) == gateway::spawner_command)
    return gateway::run_spawner_process();
  if (argc > 2 && std::string_view(argv[1]) == sandbox::compile_module_command) {
    return sandbox::compiler_child_main(argc, argv);
  }

  CLI::App app{
      "tollgate: a WebAssembly HTTP gateway with a fresh sandbox per request, and the lab that prices it"};
  app.name("tollgate");
  app.set_version_flag("--version", "tollgate " TOLLGATE_VERSION " (wasmtime " WASMTIME_VERSION ")");
  app.require_subcommand(1);
  app.footer(
      "exit codes: 0 it worked, 1 it failed, 2 the command line is wrong\n"
      "`tollgate COMMAND --help` has examples");
  int exit_code = cli::exit_ok;
  for (const auto add : cli::commands) add(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::exit_ok : cli::exit_usage;  // help and version are no errors
  }
  return exit_code;
}
