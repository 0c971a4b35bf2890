#include "gateway/spawn/tool_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/unique_fd.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::size_t output_bytes_max = 4096;
constexpr std::size_t complaint_bytes_max = 400;

// Reads until the end of the stream; false when the limit comes first. What is over the bound is read and
// dropped.
bool read_all(int fd, std::chrono::milliseconds limit, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) != 1) return false;
    std::array<char, 1024> piece;
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count <= 0) return true;
    text.append(piece.data(), std::min(static_cast<std::size_t>(count), output_bytes_max - text.size()));
  }
}

expected<pid_t, int> start_tool(const std::vector<std::string>& argv, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (const std::string& word : argv) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments.front(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return unexpected(error);
  return pid;
}

}  // namespace

std::optional<std::string> find_on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + program;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

expected<std::string, std::string> run_tool(const std::vector<std::string>& argv,
                                            std::chrono::milliseconds limit) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return unexpected(fmt::format("pipe: {}", strerror(errno)));
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const auto pid = start_tool(argv, write_end.get());
  if (!pid) return unexpected(fmt::format("{}: {}", argv.front(), strerror(pid.error())));
  write_end.reset();
  std::string text;
  const bool in_time = read_all(read_end.get(), limit, text);
  if (!in_time) kill(-*pid, SIGKILL);
  int status = 0;
  waitpid(*pid, &status, 0);
  kill(-*pid, SIGKILL);
  if (!in_time)
    return unexpected(fmt::format("{} took longer than {} s", argv.front(), limit.count() / 1000));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  return unexpected(fmt::format("{} failed: {}", argv.front(),
                                text.substr(text.size() - std::min(text.size(), complaint_bytes_max))));
}

}  // namespace tollgate::gateway
