#include "bench/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace tollgate::bench {
namespace {

constexpr std::chrono::seconds stop_time_max{3};

[[noreturn]] void exec_in_child(char* const* arguments, const Cores& cores, int out,
                                const char* stderr_path) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a benchmark that is killed leaves no server behind
  try {
    pin_to(cores);
  } catch (...) {
    ::_exit(126);
  }
  const int in = ::open("/dev/null", O_RDONLY);
  const int err = ::open(stderr_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const Cores& cores,
                           const std::string& stderr_path)
    : stderr_path_(stderr_path) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  out_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) exec_in_child(arguments.data(), cores, theirs.get(), stderr_path.c_str());
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::move(other.out_)),
      buffer_(std::move(other.buffer_)),
      stderr_path_(std::move(other.stderr_path_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const auto until = Clock::now() + stop_time_max;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (Clock::now() > until) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

bool ChildProcess::fill(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  pollfd readable{out_.get(), POLLIN, 0};
  if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
    throw std::runtime_error("a program said nothing in time; its errors: " + errors());
  }
  char piece[4096];
  const ssize_t count = ::read(out_.get(), piece, sizeof piece);
  if (count > 0) buffer_.append(piece, static_cast<std::size_t>(count));
  return count > 0;
}

std::string ChildProcess::read_line(std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (!fill(until)) throw std::runtime_error("a program ended too early; its errors: " + errors());
  }
}

std::string ChildProcess::read_all(std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  while (fill(until)) {
  }
  return std::exchange(buffer_, {});
}

int ChildProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ChildProcess::errors() const {
  std::stringstream text;
  text << std::ifstream(stderr_path_).rdbuf();
  return text.str();
}

std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::stringstream folders(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/bin:/sbin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace tollgate::bench
