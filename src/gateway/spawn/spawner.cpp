#include "gateway/spawn/spawner.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "base/async.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/spawn/child_program.hpp"
#include "gateway/spawn/spawn_protocol.hpp"

namespace tollgate::gateway {
namespace {

using SignalSet = asio::basic_signal_set<Executor>;

// How often those that a run left behind are looked for and killed again before its end is told without them:
// only a process the kernel itself cannot end (uninterruptible sleep) is left by then.
constexpr int kill_rounds_max = 50;
constexpr std::chrono::milliseconds kill_round_pause{20};

std::chrono::microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

class Spawner {
 public:
  Spawner(EventLoop& loop, UniqueFd socket)
      : worker_(loop, std::move(socket)), children_ended_(loop.get_executor(), SIGCHLD), loop_(loop) {}

  void start() {
    asio::co_spawn(loop_, serve_worker(), asio::detached);
    asio::co_spawn(loop_, reap_children(), asio::detached);
  }

  // After the loop has ended: nothing that was started may live on.
  void end_everyone() {
    for (int round = 0; round < kill_rounds_max; ++round) {
      for (const pid_t pid : descendants_of(getpid())) kill(pid, SIGKILL);
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (children_of(getpid()).empty()) return;
      usleep(static_cast<useconds_t>(std::chrono::microseconds(kill_round_pause).count()));
    }
  }

 private:
  struct Run {
    pid_t pid = -1;
    bool program_ended = false;
    bool ending = false;
    ProgramEnded report;
  };

  Task<> serve_worker() {
    for (;;) {
      auto packet = co_await worker_.receive();
      if (!packet) break;
      auto message = decode(packet->bytes);
      if (!message) continue;
      if (auto* start = std::get_if<StartProgram>(&*message)) {
        begin(*start, packet->fds);
      } else if (const auto* end = std::get_if<EndProgram>(&*message)) {
        const auto run = runs_.find(end->id);
        if (run != runs_.end()) end_run(end->id, run->second);
      }
    }
    loop_.stop();
  }

  void begin(StartProgram& start, const std::vector<UniqueFd>& files) {
    ProgramEnded report;
    report.id = start.id;
    if (files.size() != 3 && files.size() != 4) {
      report.start_error = EINVAL;
      return tell(report);
    }
    start.environment.push_back(fmt::format("{}={}", spawn_run_variable, start.id));
    const auto pid = start_program(start, {.in = files[0].get(),
                                          .out = files[1].get(),
                                          .err = files[2].get(),
                                          .module = files.size() == 4 ? files[3].get() : -1});
    if (!pid) {
      report.start_error = pid.error();
      return tell(report);
    }
    Run run;
    run.pid = *pid;
    run.report = report;
    runs_.emplace(start.id, run);
    run_of_program_.emplace(*pid, start.id);
  }

  Task<> reap_children() {
    for (;;) {
      const auto [error, number] = co_await children_ended_.async_wait(use_task_tuple);
      if (error) co_return;
      reap();
    }
  }

  void reap() {
    int status = 0;
    rusage used{};
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      const auto program = run_of_program_.find(pid);
      const auto orphan = run_of_orphan_.find(pid);
      std::uint64_t id = 0;
      if (program != run_of_program_.end()) {
        id = program->second;
      } else if (orphan != run_of_orphan_.end()) {
        id = orphan->second;
        run_of_orphan_.erase(orphan);
      }
      const auto found = runs_.find(id);
      if (found == runs_.end()) continue;
      Run& run = found->second;
      run.report.cpu += to_microseconds(used.ru_utime) + to_microseconds(used.ru_stime);
      run.report.memory_bytes_peak =
          std::max(run.report.memory_bytes_peak, static_cast<std::uint64_t>(used.ru_maxrss) * 1024);
      if (pid != run.pid) continue;
      run.report.wait_status = status;
      run.program_ended = true;
      run_of_program_.erase(program);
      end_run(id, run);
    }
  }

  // Kills all of a run, and tells its end once none is left; works on in rounds when some are not gone at once.
  void end_run(std::uint64_t id, Run& run) {
    if (run.ending) {
      if (run.program_ended && kill_all(id, run) == 0) tell_end(id);
      return;
    }
    run.ending = true;
    if (kill_all(id, run) == 0 && run.program_ended) return tell_end(id);
    asio::co_spawn(loop_, finish(id), asio::detached);
  }

  Task<> finish(std::uint64_t id) {
    SteadyTimer pause(loop_.get_executor());
    for (int round = 0; round < kill_rounds_max; ++round) {
      pause.expires_after(kill_round_pause);
      co_await pause.async_wait(use_task_tuple);
      const auto found = runs_.find(id);
      if (found == runs_.end()) co_return;
      if (kill_all(id, found->second) == 0 && found->second.program_ended) break;
    }
    if (runs_.count(id) != 0) tell_end(id);
  }

  // How many processes of the run were still there.
  std::size_t kill_all(std::uint64_t id, const Run& run) {
    std::vector<pid_t> targets;
    if (!run.program_ended) {
      targets = descendants_of(run.pid);
      kill(-run.pid, SIGKILL);
      kill(run.pid, SIGKILL);
    }
    for (const pid_t child : children_of(getpid())) {
      if (run_of_program_.count(child) != 0 || !may_claim(id, run, child)) continue;
      run_of_orphan_.insert_or_assign(child, id);
      targets.push_back(child);
      const auto below = descendants_of(child);
      targets.insert(targets.end(), below.begin(), below.end());
    }
    for (const pid_t pid : targets) kill(pid, SIGKILL);
    return targets.size();
  }

  // Whether an orphan is this run's, or at least no other living run's.
  bool may_claim(std::uint64_t id, const Run& run, pid_t orphan) const {
    if (getsid(orphan) == run.pid) return true;
    const std::string marked = initial_environment(orphan, spawn_run_variable);
    if (marked == fmt::format("{}", id)) return true;
    for (const auto& [other_id, other] : runs_) {
      if (other_id == id) continue;
      if (getsid(orphan) == other.pid || marked == fmt::format("{}", other_id)) return false;
    }
    return true;
  }

  void tell_end(std::uint64_t id) {
    const ProgramEnded report = runs_.at(id).report;
    runs_.erase(id);
    tell(report);
  }

  void tell(const ProgramEnded& report) { asio::co_spawn(loop_, send(*encode(report)), asio::detached); }

  // If the worker is gone, the loop is about to end.
  Task<> send(std::string bytes) { co_await worker_.send(bytes); }

  Channel worker_;
  SignalSet children_ended_;
  EventLoop& loop_;
  std::unordered_map<std::uint64_t, Run> runs_;
  std::unordered_map<pid_t, std::uint64_t> run_of_program_;  // programs not yet reaped
  std::unordered_map<pid_t, std::uint64_t> run_of_orphan_;
};

}  // namespace

int run_spawner(UniqueFd socket) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  EventLoop loop(1);
  Spawner spawner(loop, std::move(socket));
  spawner.start();
  loop.run();
  spawner.end_everyone();
  return 0;
}

}  // namespace tollgate::gateway
