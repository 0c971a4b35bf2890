// tollgate check: is this configuration one that `serve` would take?
#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "gateway/config/config_reader.hpp"

namespace tollgate::cli {
namespace {

int check(const std::string& file) {
  const auto config = gateway::read_config_file(file, gateway::process_environment());
  if (!config) {
    for (const gateway::ConfigError& error : config.error())
      std::fprintf(stderr, "%s\n", error.message().c_str());
    return exit_failed;
  }
  std::printf("ok: %zu %s\n", config->routes.size(), config->routes.size() == 1 ? "route" : "routes");
  return exit_ok;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  auto file = std::make_shared<std::string>();
  CLI::App* const command =
      app.add_subcommand("check", "tell whether a configuration is right, and every error if not");
  command->add_option("file", *file, "a configuration (docs/configuration.md)")->required()->check(not_empty);
  command->footer(
      "Prints `ok: N routes`, or one line for each error on stderr: FILE:LINE: KEY: found X, expected Y.\n"
      "Reads the environment (${NAME} in values) and looks whether modules and directories are there; it "
      "compiles\n"
      "nothing and opens no port.\n"
      "\n"
      "examples:\n"
      "  tollgate check tollgate.toml\n"
      "  LISTEN=127.0.0.1:9000 tollgate check examples/gateway-study/native_local.toml && echo good\n"
      "\n"
      "exit codes: 0 it is right, 1 it has errors or cannot be read, 2 the command line is wrong");
  command->callback([file, &exit_code] { exit_code = check(*file); });
}

}  // namespace tollgate::cli
