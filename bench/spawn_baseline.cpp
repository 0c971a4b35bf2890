#include "bench/spawn_baseline.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "base/unique_fd.hpp"
#include "bench/child_process.hpp"

namespace tollgate::bench {
namespace {

double cpu_us_of(int who) {
  rusage used{};
  ::getrusage(who, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

double cpu_us() {
  return cpu_us_of(RUSAGE_SELF) + cpu_us_of(RUSAGE_CHILDREN);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// One run, from pipes to the reaped child.
void run_once(char* const* command, char* const* environment, const std::string& input,
              const std::string& output) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in.read.get(), 0);
  ::posix_spawn_file_actions_adddup2(&files, out.write.get(), 1);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, command[0], &files, nullptr, command, environment);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) throw std::runtime_error(fmt::format("{}: {}", command[0], std::strerror(failed)));
  in.read.reset();
  out.write.reset();
  const ssize_t written = input.empty() ? 0 : ::write(in.write.get(), input.data(), input.size());
  in.write.reset();
  std::string got;
  std::array<char, 4096> piece;
  for (ssize_t count; (count = ::read(out.read.get(), piece.data(), piece.size())) > 0;) {
    got.append(piece.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0 || written != static_cast<ssize_t>(input.size()) || !got.starts_with(output)) {
    throw std::runtime_error(fmt::format("{} ended with status {} and said \"{}\"", command[0], status, got));
  }
}

}  // namespace

SpawnCost mean(const std::vector<SpawnCost>& costs) {
  SpawnCost sum;
  for (const SpawnCost& cost : costs) {
    sum.cpu_us += cost.cpu_us;
    sum.wall_us += cost.wall_us;
  }
  const auto count = static_cast<double>(costs.size());
  return {.cpu_us = sum.cpu_us / count, .wall_us = sum.wall_us / count};
}

SpawnCost spawn_to_exit(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                        const std::string& input, const std::string& output, const Cores& cores,
                        std::chrono::milliseconds duration) {
  const auto argv = pointers(command);
  const auto variables = pointers(environment);
  pin_to(cores);  // what is spawned inherits it
  run_once(argv.data(), variables.data(), input, output);
  const auto began = Clock::now();
  const double cpu_before = cpu_us();
  double runs = 0;
  for (; Clock::now() - began < duration; ++runs) run_once(argv.data(), variables.data(), input, output);
  return {.cpu_us = (cpu_us() - cpu_before) / runs,
          .wall_us = std::chrono::duration<double, std::micro>(Clock::now() - began).count() / runs};
}

SpawnCost spawn_to_exit_on_each(const std::vector<std::string>& command,
                                const std::vector<std::string>& environment, const std::string& input,
                                const std::string& output, const Cores& cores,
                                std::chrono::milliseconds duration) {
  struct Measurer {
    pid_t pid;
    UniqueFd result;
  };
  std::vector<Measurer> measurers;
  for (const int core : cores) {
    Pipe result = make_pipe();
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        const SpawnCost cost = spawn_to_exit(command, environment, input, output, {core}, duration);
        const bool told = ::write(result.write.get(), &cost, sizeof cost) == sizeof cost;
        ::_exit(told ? 0 : 1);
      } catch (...) {
        ::_exit(1);
      }
    }
    if (pid < 0) throw std::runtime_error("fork failed");
    measurers.push_back({pid, std::move(result.read)});
  }
  std::vector<SpawnCost> costs;
  for (const Measurer& measurer : measurers) {
    SpawnCost cost;
    if (::read(measurer.result.get(), &cost, sizeof cost) == sizeof cost) costs.push_back(cost);
    ::waitpid(measurer.pid, nullptr, 0);
  }
  if (costs.size() != cores.size())
    throw std::runtime_error(fmt::format("{} could not be run on each core", command.front()));
  return mean(costs);
}

}  // namespace tollgate::bench
