#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/unique_fd.hpp"
#include "cli/doctor.hpp"

namespace tollgate::cli {
namespace {

constexpr std::chrono::milliseconds answer_limit{3'000};  // some tools start a virtual machine to say their version
constexpr std::size_t answer_bytes_max = 4096;

std::optional<std::string> find_in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + program;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

// Reads until the end or the limit.
std::string read_answer(int fd) {
  std::string answer;
  const auto end = std::chrono::steady_clock::now() + answer_limit;
  while (answer.size() < answer_bytes_max) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) != 1) break;
    std::array<char, 1024> piece;
    const ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n <= 0) break;
    answer.append(piece.data(), static_cast<std::size_t>(n));
  }
  return answer;
}

// What a program prints, on either stream, when asked with one argument; it is killed when it takes too long.
std::string ask(const std::string& file, const std::string& argument) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  std::string program = file;
  std::string option = argument;
  char* const arguments[] = {program.data(), option.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, file.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  write_end.reset();
  const std::string answer = read_answer(read_end.get());
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return answer;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

struct Tool {
  const char* program;
  const char* argument;
  const char* use;
  const char* how_to_get;
};

constexpr Tool tools[] = {
    {"wasmtime", "--version", "the lab's spawn variant", "./dev wasmtime"},
    {"wasmedge", "--version", "the lab's spawn variant", "./dev wasmedge"},
    {"docker", "--version", "the lab's container variants", "apt-get install docker.io"},
    {"wrk", "-v", "./dev bench", "apt-get install wrk (./dev bench does)"},
    {"nginx", "-v", "./dev bench", "apt-get install nginx-light (./dev bench does)"},
};

Finding examine(const Tool& tool) {
  const auto file = find_in_path(tool.program);
  if (!file) return {Verdict::note, tool.program, "not found", fmt::format("{} needs it: {}", tool.use, tool.how_to_get)};
  return {Verdict::ok, tool.program, first_line(ask(*file, tool.argument)), ""};
}

Finding examine_wasm_clang() {
  for (const char* program : {"clang-19", "clang-16", "clang-14", "clang"}) {
    const auto file = find_in_path(program);
    if (!file) continue;
    if (!std::filesystem::exists("/usr/lib/wasm32-wasi/libc.a")) break;
    return {Verdict::ok, "clang for wasm", first_line(ask(*file, "--version")), ""};
  }
  return {Verdict::note, "clang for wasm", "not complete",
          "C and C++ guests need it: apt-get install clang lld wasi-libc (./dev serve does)"};
}

Finding examine_wasm_rust() {
  const auto file = find_in_path("rustc");
  if (!file) return {Verdict::note, "rust for wasm", "no rustc", "Rust guests and the build need it: https://rustup.rs"};
  const std::string sysroot = first_line(ask(*file, "--print=sysroot"));
  if (!std::filesystem::exists(sysroot + "/lib/rustlib/wasm32-wasip1")) {
    return {Verdict::note, "rust for wasm", "no target wasm32-wasip1", "rustup target add wasm32-wasip1"};
  }
  return {Verdict::ok, "rust for wasm", first_line(ask(*file, "--version")), ""};
}

}  // namespace

std::vector<Finding> examine_tools() {
  std::vector<Finding> findings;
  for (const Tool& tool : tools) findings.push_back(examine(tool));
  findings.push_back(examine_wasm_clang());
  findings.push_back(examine_wasm_rust());
  return findings;
}

}  // namespace tollgate::cli
