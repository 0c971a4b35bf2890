// tollgate compile: one module, ahead of time, into one file.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "base/unique_name.hpp"
#include "cli/commands.hpp"
#include "cli/read_file.hpp"
#include "sandbox/compiler.hpp"
#include "sandbox/sparse_file.hpp"

namespace tollgate::cli {
namespace {

struct Options {
  std::string module;
  std::string output;
  std::uint64_t cpu_seconds = 60;
  std::uint64_t wall_seconds = 40;
  std::uint64_t address_space_mib = 2048;
};

std::string size_text(std::uint64_t bytes) {
  constexpr std::uint64_t mib = 1u << 20;
  if (bytes >= mib) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / mib);
  return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
}

int fail(const std::string& subject, const std::string& reason) {
  fmt::print(stderr, "tollgate: {}: {}\n", subject, reason);
  return exit_failed;
}

// Written beside its place and renamed, so that whoever loads the old one is not disturbed.
expected<void, std::string> write_file(const sandbox::BundleFds& bundle, const std::string& path) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, unique_name());
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return unexpected(std::string(std::strerror(errno)));
  struct stat status{};
  if (::fstat(bundle.code.get(), &status) == 0 &&
      sandbox::copy_sparse(bundle.code.get(), file.get(), status.st_size) &&
      ::rename(temporary.c_str(), path.c_str()) == 0) {
    return {};
  }
  std::string reason = std::strerror(errno);
  ::unlink(temporary.c_str());
  return unexpected(std::move(reason));
}

void print_what_was_done(const Options& options, std::size_t module_bytes, const sandbox::BundleFds& bundle,
                         std::chrono::milliseconds took) {
  const sandbox::Manifest& manifest = bundle.manifest;
  fmt::print("{} -> {}\n", options.module, options.output);
  fmt::print("  module  {}, SHA-256 {}\n", size_text(module_bytes), manifest.module_digest);
  fmt::print("  entry   {}\n", manifest.entry);
  fmt::print("  code    {}\n", size_text(manifest.code_bytes));
  if (manifest.image_bytes == 0) {
    fmt::print("  image   none: the memory starts as zeros\n");
  } else {
    const auto content =
        sandbox::content_bytes(bundle.image.get(), manifest.image_offset, manifest.image_bytes);
    fmt::print("  image   {} of content\n", size_text(content));
  }
  fmt::print("  memory  {} at the start\n", size_text(manifest.memory_pages_min * sandbox::wasm_page_bytes));
  fmt::print("  engine  {}\n", manifest.engine);
  fmt::print("  took    {} ms\n", took.count());
}

int compile(Options options) {
  if (options.output.empty())
    options.output = std::filesystem::path(options.module).replace_extension("cwasm");
  const auto module = read_file(options.module);
  if (!module) return fail(options.module, module.error());

  const auto begin = std::chrono::steady_clock::now();
  const auto bundle =
      sandbox::compile({reinterpret_cast<const std::uint8_t*>(module->data()), module->size()},
                       {.name = std::filesystem::path(options.module).stem().string(),
                        .limits = {.cpu = std::chrono::seconds(options.cpu_seconds),
                                   .wall = std::chrono::seconds(options.wall_seconds),
                                   .address_space_bytes = options.address_space_mib << 20}});
  if (!bundle) return fail(options.module, bundle.error().sentence);
  const auto took = std::chrono::steady_clock::now() - begin;
  if (const auto written = write_file(*bundle, options.output); !written) {
    return fail(options.output, "cannot be written: " + written.error());
  }
  print_what_was_done(options, module->size(), *bundle,
                      std::chrono::duration_cast<std::chrono::milliseconds>(took));
  return exit_ok;
}

}  // namespace

void add_compile(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("compile", "compile a module ahead of time into one file");
  command->add_option("module", options->module, "a core WASI preview 1 module")
      ->required()
      ->check(not_empty);
  command->add_option("-o,--output", options->output,
                      "where to write it; default: the module's name with .cwasm");
  command->add_option("--max-cpu", options->cpu_seconds, "CPU seconds the compiler may use")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_option("--max-time", options->wall_seconds, "seconds the compiler may take")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_option("--max-memory", options->address_space_mib, "MiB of address space the compiler may use")
      ->check(CLI::Range(256, 1 << 20))
      ->capture_default_str();
  command->footer(
      "`serve` compiles modules itself at first use and caches them; a compiled file is for machines that "
      "must not\n"
      "compile. It fits this version of tollgate and CPUs like this one, and loading it is executing it: it "
      "needs\n"
      "--trust-precompiled there.\n"
      "\n"
      "examples:\n"
      "  tollgate compile handler.wasm\n"
      "  tollgate compile handler.wasm -o /srv/handler.cwasm\n"
      "\n"
      "exit codes: 0 compiled, 1 the module cannot run here or takes too long, 2 the command line is wrong");
  command->callback([options, &exit_code] { exit_code = compile(*options); });
}

}  // namespace tollgate::cli
