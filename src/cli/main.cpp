// The command line: one subcommand per file of this folder.
#include <fcntl.h>
#include <signal.h>
#include <wasmtime.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string_view>

#include "cli/commands.hpp"
#include "gateway/process/spawner_process.hpp"
#include "gateway/process/worker.hpp"
#include "gateway/process/worker_process.hpp"
#include "sandbox/compiler_child.hpp"

namespace tollgate::cli {
namespace {

// What whoever started us ignored or blocked is inherited. With SIGCHLD ignored no process learns how its
// child ended, and a blocked SIGTERM never arrives.
void reset_inherited_signals() {
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Whoever started us may have closed some of 0 to 2; what is opened next would take their numbers, and the
// log would be written into it.
bool open_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

// A full disk must not look like success to the script that reads the file.
int exit_code_of_output(int exit_code) {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) return exit_code;
  std::perror("tollgate: writing to stdout");
  return exit_code == exit_ok ? exit_failed : exit_code;
}

int run(CLI::App& app, int argc, char** argv, int& exit_code) {
  const auto is_named = [argv](CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    std::fprintf(stderr, "tollgate: there is no command \"%s\"\nRun with --help for more information.\n",
                 argv[1]);
    return exit_usage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_error = error.get_exit_code() != 0;  // help and version are none
    // What nobody knows before what is missing: it may be that, misspelt.
    const auto unknown = is_error ? app.remaining(true) : std::vector<std::string>();
    app.exit(unknown.empty() ? error : CLI::ExtrasError(app.get_name(), unknown));
    return is_error ? exit_usage : exit_ok;
  } catch (const std::exception& failure) {  // no memory, no descriptors
    std::fprintf(stderr, "tollgate: %s\n", failure.what());
    return exit_failed;
  }
  return exit_code;
}

}  // namespace
}  // namespace tollgate::cli

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

  cli::reset_inherited_signals();
  if (!cli::open_standard_streams()) return cli::exit_failed;
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
  return cli::exit_code_of_output(cli::run(app, argc, argv, exit_code));
}
