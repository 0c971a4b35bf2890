// tollgate serve: reads the configuration and runs the supervisor.
#include <fmt/format.h>
#include <unistd.h>
#include <wasmtime.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/print_routes.hpp"
#include "gateway/config/config_reader.hpp"
#include "gateway/config/config_values.hpp"
#include "gateway/process/supervisor.hpp"

namespace tollgate::cli {
namespace {

using gateway::Config;

struct ServeOptions {
  std::string handler;
  std::string config;
  std::string abi;
  gateway::CommandLine command_line;
  bool print_routes = false;
  bool trust_precompiled = false;
};

// An address of the command line, put into its canonical form.
const CLI::Validator canonical_address(
    [](std::string& given) {
      auto address = gateway::parse_listen_address(given);
      if (!address) return fmt::format("found \"{}\", expected {}", given, gateway::listen_address_notation);
      given = *std::move(address);
      return std::string();
    },
    "");

constexpr const char* default_config = "tollgate.toml";

std::string messages(const gateway::ConfigErrors& errors) {
  std::string text;
  for (const gateway::ConfigError& error : errors) text += (text.empty() ? "" : "\n") + error.message();
  return text;
}

// Asked again at each reload: what the command line says holds over whatever the file says then.
expected<Config, std::string> read(const ServeOptions& options) {
  if (!options.handler.empty()) {
    auto config = gateway::config_for_handler(options.handler, options.command_line);
    if (!config) return unexpected(messages(config.error()));
    return std::move(*config);
  }
  auto config = gateway::read_config_file(options.config, gateway::process_environment());
  if (!config) return unexpected(messages(config.error()));
  return gateway::with_command_line(std::move(*config), options.command_line);
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

int serve(ServeOptions options) {
  if (options.handler.empty() && options.config.empty()) {
    if (!std::filesystem::exists(default_config)) {
      write_all(STDERR_FILENO,
                fmt::format("tollgate serve: name a handler.wasm or a configuration (--config FILE); "
                            "there is no {} here\n",
                            default_config));
      return exit_usage;
    }
    options.config = default_config;
  }
  UniqueFd sink = open_nonblocking_sink(STDERR_FILENO);
  Log log("tollgate", sink ? sink.get() : STDERR_FILENO);
  gateway::SupervisorOptions supervisor;
  supervisor.read_config = [options] { return read(options); };
  if (options.trust_precompiled) supervisor.precompiled = sandbox::Precompiled::trusted;
  supervisor.version = TOLLGATE_VERSION;
  supervisor.engine_version = "wasmtime " WASMTIME_VERSION;
  supervisor.listening = [print = options.print_routes](const std::vector<std::string>& addresses,
                                                        const Config& config) {
    std::string lines;
    for (const std::string& address : addresses) lines += fmt::format("listening on http://{}\n", address);
    write_all(STDOUT_FILENO, lines);
    if (print) write_all(STDERR_FILENO, describe_routes(config, addresses.front()));
  };
  const auto outcome = gateway::run_supervisor(log, std::move(supervisor));
  if (outcome) return *outcome;
  write_all(STDERR_FILENO, fmt::format("tollgate: {}\n", outcome.error()));
  return exit_failed;
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* const command =
      app.add_subcommand("serve", "serve HTTP: one handler, or the routes of a configuration");
  auto* const handler =
      command->add_option("handler", options->handler, "a WebAssembly module that answers every path");
  command->add_option("--config", options->config, "a configuration (docs/configuration.md)")
      ->excludes(handler);
  command
      ->add_option("--listen", options->command_line.listen,
                   "ADDRESS:PORT to serve on; port 0 takes a free one; may be repeated")
      ->allow_extra_args(false)
      ->transform(canonical_address);
  command
      ->add_option("--admin", options->command_line.admin,
                   "ADDRESS:PORT for /metrics, /routes, /livez and /readyz")
      ->transform(canonical_address);
  command->add_option("--workers", options->command_line.workers, "worker processes; 0 is one per CPU")
      ->check(not_empty)
      ->check(CLI::Range(0u, gateway::workers_max));
  command->add_option("--abi", options->abi, "how the handler is called: cgi (default) or stdio")
      ->check(CLI::IsMember({"cgi", "stdio"}))
      ->needs(handler);
  command->add_flag("--print-routes", options->print_routes, "print each route with a curl line to stderr");
  command->add_flag("--trust-precompiled", options->trust_precompiled,
                    "also load files that `tollgate compile` wrote; loading one is executing it");
  command->footer(
      "Prints one line to stdout when it serves: listening on http://ADDRESS:PORT. The log goes to stderr.\n"
      "Signals: SIGTERM and SIGINT finish what runs and exit, a second one ends at once; SIGHUP reloads.\n"
      "\n"
      "examples:\n"
      "  tollgate serve handler.wasm\n"
      "  tollgate serve handler.wasm --abi stdio --listen 127.0.0.1:0\n"
      "  tollgate serve --config tollgate.toml --workers 2 --admin 127.0.0.1:9901\n"
      "  pkill -HUP -x tollgate    # reload; workers have other names\n"
      "\n"
      "exit codes: 0 drained, 1 it could not start or was ended at once, 2 the command line is wrong");
  command->callback([options, &exit_code] {
    if (options->command_line.listen.size() > gateway::listen_addresses_max) {
      throw CLI::ValidationError("--listen", fmt::format("at most {}", gateway::listen_addresses_max));
    }
    if (options->abi == "stdio") options->command_line.abi = gateway::Abi::stdio;
    exit_code = serve(*options);
  });
}

}  // namespace tollgate::cli
