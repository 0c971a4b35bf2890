#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "cli/doctor.hpp"
#include "gateway/config/program_path.hpp"
#include "gateway/spawn/engine_command.hpp"
#include "gateway/spawn/tool_run.hpp"

namespace tollgate::cli {
namespace {

// Some tools start a virtual machine to say their version.
constexpr std::chrono::milliseconds answer_limit{3'000};

// What a program prints, on either stream, when asked with one argument; empty when it fails or takes too
// long.
std::string ask(const std::string& file, const std::string& argument) {
  return gateway::run_tool({.argv = {file, argument}, .limits = {.wall = answer_limit}}).value_or("");
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

struct Tool {
  const char* program;
  const char* argument;
  const char* use;
  const char* how_to_get;
};

constexpr Tool tools[] = {
    {"nginx", "-v", "./dev bench", "apt-get install nginx-light (./dev bench does)"},
};

Finding examine(const Tool& tool) {
  const auto file = gateway::find_on_path(tool.program);
  if (!file)
    return {Verdict::note, tool.program, "not found", fmt::format("for {}: {}", tool.use, tool.how_to_get)};
  return {Verdict::ok, tool.program, first_line(ask(*file, tool.argument)), ""};
}

Finding examine_docker() {
  const auto file = gateway::find_on_path("docker");
  if (!file) {
    return {Verdict::note, "docker", "not found", "for ./dev study native_docker: apt-get install docker.io"};
  }
  const auto engine = gateway::run_tool(
      {.argv = {*file, "version", "--format", "{{.Server.Version}}"}, .limits = {.wall = answer_limit}});
  const std::string client = first_line(ask(*file, "--version"));
  if (engine) return {Verdict::ok, "docker", fmt::format("{}; engine {}", client, first_line(*engine)), ""};
  return {Verdict::note, "docker", client,
          "no engine answers: systemctl start docker, or `tools/with-docker COMMAND` as root, as ./dev study "
          "does"};
}

Finding examine_engine_command(const char* name, gateway::Runtime runtime) {
  const auto engine = gateway::find_engine(runtime);
  if (!engine)
    return {Verdict::note, name, "not found",
            fmt::format("routes with this `runtime` need it: {}", engine.error())};
  const std::string& file = engine->argv.back();
  std::string version = engine->version;
  if (version.starts_with(file)) version.replace(0, file.size(), name);  // wasmedge says how it was called
  return {Verdict::ok, name, fmt::format("{} ({})", version, file), ""};
}

Finding examine_wasm_clang() {
  for (const char* program : {"clang-19", "clang-16", "clang-14", "clang"}) {
    const auto file = gateway::find_on_path(program);
    if (!file) continue;
    if (!std::filesystem::exists("/usr/lib/wasm32-wasi/libc.a")) break;
    return {Verdict::ok, "clang for wasm", first_line(ask(*file, "--version")), ""};
  }
  return {Verdict::note, "clang for wasm", "not complete",
          "C and C++ guests need it: apt-get install clang lld wasi-libc (./dev serve does)"};
}

Finding examine_wasm_rust() {
  const auto file = gateway::find_on_path("rustc");
  if (!file)
    return {Verdict::note, "rust for wasm", "no rustc",
            "Rust guests and the build need it: https://rustup.rs"};
  const std::string sysroot = first_line(ask(*file, "--print=sysroot"));
  if (!std::filesystem::exists(sysroot + "/lib/rustlib/wasm32-wasip1")) {
    return {Verdict::note, "rust for wasm", "no target wasm32-wasip1", "rustup target add wasm32-wasip1"};
  }
  return {Verdict::ok, "rust for wasm", first_line(ask(*file, "--version")), ""};
}

}  // namespace

std::vector<Finding> examine_tools() {
  std::vector<Finding> findings{examine_docker()};
  for (const Tool& tool : tools) findings.push_back(examine(tool));
  findings.push_back(examine_engine_command("wasmtime", gateway::Runtime::wasmtime));
  findings.push_back(examine_engine_command("wasmedge", gateway::Runtime::wasmedge));
  findings.push_back(examine_wasm_clang());
  findings.push_back(examine_wasm_rust());
  return findings;
}

}  // namespace tollgate::cli
