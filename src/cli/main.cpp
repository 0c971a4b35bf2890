// The command line: one subcommand per file of this folder.
#include <wasmtime.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  CLI::App app{"tollgate: a WebAssembly HTTP gateway with a fresh sandbox per request, and the lab that prices it"};
  app.set_version_flag("--version", std::string("tollgate " TOLLGATE_VERSION " (wasmtime " WASMTIME_VERSION ")"));
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
