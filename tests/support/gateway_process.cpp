#include "tests/support/gateway_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

#include "tests/support/eventually.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPoll{5};

pid_t spawn(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
            const std::filesystem::path& folder) {
  std::vector<std::string> env_strings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (environment.count(text.substr(0, text.find('='))) == 0) env_strings.push_back(text);
  }
  for (const auto& [name, value] : environment) env_strings.push_back(name + "=" + value);
  std::vector<char*> env;
  for (auto& text : env_strings) env.push_back(text.data());
  env.push_back(nullptr);

  std::vector<std::string> argument_strings{TOLLGATE_BINARY};
  argument_strings.insert(argument_strings.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& text : argument_strings) argv.push_back(text.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const std::string out = folder / "stdout";
  const std::string err = folder / "stderr";
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, TOLLGATE_BINARY, &files, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error(fmt::format("cannot start {}: error {}", TOLLGATE_BINARY, error));
  return pid;
}

// What a sanitizer finds in a worker would be seen by nobody: the supervisor starts another.
void expect_no_sanitizer_report(const std::string& log) {
  EXPECT_EQ(log.find("Sanitizer: "), std::string::npos) << log;
}

// The exit, once the process has ended; killed at the limit.
Exit reap(pid_t pid, milliseconds limit, const std::filesystem::path& folder) {
  const auto end = steady_clock::now() + limit;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (steady_clock::now() > end) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      break;
    }
    std::this_thread::sleep_for(kPoll);
  }
  Exit result;
  if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = read_file(folder / "stdout");
  result.err = read_file(folder / "stderr");
  expect_no_sanitizer_report(result.err);
  return result;
}

// The number after the last ':' of the line that starts with (or contains) `marker`.
std::uint16_t port_after(const std::string& text, const std::string& marker) {
  const auto at = text.find(marker);
  if (at == std::string::npos) return 0;
  const auto line = text.substr(at, text.find_first_of("\r\n\"", at) - at);
  const auto colon = line.rfind(':');
  std::uint16_t port = 0;
  std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
  return port;
}

}  // namespace

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "tollgate-test-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = name;
  chmod(path_.c_str(), 0755);  // workers run as another user
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, const std::string& content) const {
  const auto target = path_ / name;
  std::filesystem::create_directories(target.parent_path());
  std::ofstream(target, std::ios::binary | std::ios::trunc) << content;
  return target;
}

Exit run_tollgate(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& environment, milliseconds limit) {
  const TempDir folder;
  return reap(spawn(arguments, environment, folder.path()), limit, folder.path());
}

GatewayProcess GatewayProcess::with_config(const std::string& toml, ServeOptions options) {
  GatewayProcess gateway;
  gateway.folder_ = std::make_unique<TempDir>();
  const auto config = gateway.folder_->write("tollgate.toml", toml);
  options.arguments.insert(options.arguments.begin(), {"--config", config});
  gateway.launch(options);
  return gateway;
}

GatewayProcess GatewayProcess::with_arguments(const ServeOptions& options) {
  GatewayProcess gateway;
  gateway.folder_ = std::make_unique<TempDir>();
  gateway.launch(options);
  return gateway;
}

void GatewayProcess::launch(const ServeOptions& options) {
  std::vector<std::string> arguments{"serve"};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  pid_ = spawn(arguments, options.environment, folder_->path());
  const auto end = steady_clock::now() + options.start_limit;
  while ((port_ = port_after(out(), "listening on http://")) == 0) {
    int status = 0;
    const bool ended = waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || steady_clock::now() > end) {
      throw std::runtime_error(
          fmt::format("tollgate {}; stderr:\n{}", ended ? "ended at once" : "did not start in time", err()));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

GatewayProcess::GatewayProcess(GatewayProcess&& other) noexcept
    : folder_(std::move(other.folder_)), pid_(std::exchange(other.pid_, -1)), port_(other.port_) {}

GatewayProcess::~GatewayProcess() {
  if (pid_ < 0) return;
  const auto workers = worker_pids();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  eventually([&] { return std::all_of(workers.begin(), workers.end(), has_ended); });
  expect_no_sanitizer_report(err());
}

std::uint16_t GatewayProcess::admin_port() const {
  return logged_port("admin on http://");
}

std::uint16_t GatewayProcess::kill_port() const {
  return logged_port("kill port on ");
}

std::uint16_t GatewayProcess::logged_port(const std::string& marker) const {
  std::uint16_t port = 0;
  if (!eventually([&] { return (port = port_after(err(), marker)) != 0; }))
    throw std::runtime_error(fmt::format("no \"{}\" in the log:\n{}", marker, err()));
  return port;
}

std::vector<pid_t> GatewayProcess::worker_pids() const {
  std::vector<pid_t> pids;
  std::istringstream children(read_file(fmt::format("/proc/{0}/task/{0}/children", pid_)));
  for (pid_t child; children >> child;) {
    if (read_file(fmt::format("/proc/{}/cmdline", child)).find("worker") != std::string::npos)
      pids.push_back(child);
  }
  return pids;
}

void GatewayProcess::rewrite_config(const std::string& toml) const {
  folder_->write("tollgate.toml", toml);
}
void GatewayProcess::signal(int number) const {
  kill(pid_, number);
}
std::string GatewayProcess::out() const {
  return read_file(folder_->path() / "stdout");
}
std::string GatewayProcess::err() const {
  return read_file(folder_->path() / "stderr");
}

bool GatewayProcess::wait_for_log(const std::string& text, milliseconds limit, std::size_t from) const {
  return eventually([&] { return err().find(text, from) != std::string::npos; }, limit);
}

Exit GatewayProcess::wait(milliseconds limit) {
  Exit result = reap(pid_, limit, folder_->path());
  pid_ = -1;
  return result;
}

}  // namespace tollgate::testing
