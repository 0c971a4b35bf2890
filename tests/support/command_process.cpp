#include "tests/support/command_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/support/read_file.hpp"

extern char** environ;

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds poll_interval{10};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

CommandProcess::CommandProcess(const std::vector<std::string>& command,
                               const std::map<std::string, std::string>& environment)
    : folder_(std::make_unique<TempDir>()) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (environment.count(text.substr(0, text.find('='))) == 0) variables.push_back(text);
  }
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<std::string> arguments = command;

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const std::string out_path = folder_->path() / "stdout";
  const std::string err_path = folder_->path() / "stderr";
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addopen(&files, 2, err_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawnp(&group_, command.front().c_str(), &files, &attributes,
                                 pointers(arguments).data(), pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error("cannot start " + command.front());
  running_ = true;
}

CommandProcess::CommandProcess(CommandProcess&& other) noexcept
    : folder_(std::move(other.folder_)),
      group_(other.group_),
      running_(std::exchange(other.running_, false)),
      status_(other.status_) {}

CommandProcess::~CommandProcess() {
  if (running_) stop();
}

bool CommandProcess::ended() {
  if (running_ && waitpid(group_, &status_, WNOHANG) == group_) running_ = false;
  return !running_;
}

bool CommandProcess::wait_for(const std::string& text, milliseconds limit) {
  const auto end = steady_clock::now() + limit;
  for (;;) {
    const bool over = ended() || steady_clock::now() > end;
    if (out().find(text) != std::string::npos || err().find(text) != std::string::npos) return true;
    if (over) return false;
    std::this_thread::sleep_for(poll_interval);
  }
}

Exit CommandProcess::stop(milliseconds limit) {
  if (!ended()) kill(group_, SIGTERM);
  return wait(limit);
}

Exit CommandProcess::wait(milliseconds limit) {
  const auto end = steady_clock::now() + limit;
  while (!ended()) {
    if (steady_clock::now() > end) {
      kill(-group_, SIGKILL);
      waitpid(group_, &status_, 0);
      running_ = false;
    } else {
      std::this_thread::sleep_for(poll_interval);
    }
  }
  Exit result;
  if (WIFEXITED(status_)) result.code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) result.signal = WTERMSIG(status_);
  result.out = out();
  result.err = err();
  return result;
}

bool CommandProcess::has_leftovers() const {
  return kill(-group_, 0) == 0;
}
std::string CommandProcess::out() const {
  return read_file(folder_->path() / "stdout");
}
std::string CommandProcess::err() const {
  return read_file(folder_->path() / "stderr");
}

}  // namespace tollgate::testing
