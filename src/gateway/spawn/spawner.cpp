#include "gateway/spawn/spawner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/object_pool.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/cpus.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/spawn/process_tree.hpp"
#include "gateway/spawn/program_start.hpp"
#include "gateway/spawn/spawn_protocol.hpp"

namespace tollgate::gateway {
namespace {

using Clock = std::chrono::steady_clock;

// How often those that a run left behind are looked for and killed again before its end is told without them:
// only a process the kernel itself cannot end (uninterruptible sleep) is left by then.
constexpr int kill_rounds_max = 50;
constexpr std::chrono::milliseconds kill_round_pause{20};
constexpr std::chrono::milliseconds look_again_after{100};
constexpr std::size_t idle_starts_max = 64;  // some 17 KB each

std::chrono::microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// A loop over one socket and one signal: what a process per request costs beside the process is what happens
// here, so it has no library between itself and poll(2).
class Spawner {
 public:
  Spawner(UniqueFd worker, UniqueFd children_ended, std::optional<cpu_set_t> program_cpus)
      : worker_(std::move(worker)), children_ended_(std::move(children_ended)), program_cpus_(program_cpus) {}

  // Until the worker hangs up.
  void serve() {
    for (bool connected = true; connected;) {
      const short wanted = unsent_.empty() ? POLLIN : POLLIN | POLLOUT;
      pollfd ready[] = {{worker_.get(), wanted, 0}, {children_ended_.get(), POLLIN, 0}};
      const int told = poll(ready, std::size(ready), static_cast<int>(patience().count()));
      if (told <= 0 || ready[1].revents != 0) reap();
      if ((ready[0].revents & POLLOUT) != 0) send_unsent();
      if ((ready[0].revents & ~POLLOUT) != 0) connected = serve_worker();
      settle();
    }
  }

  // Nothing that was started may live on.
  void end_everyone() {
    for (int round = 0; round < kill_rounds_max; ++round) {
      for (const pid_t pid : descendants_of(getpid())) kill(pid, SIGKILL);
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (own_children_.list().empty()) return;
      usleep(static_cast<useconds_t>(std::chrono::microseconds(kill_round_pause).count()));
    }
  }

 private:
  struct Run {
    pid_t pid = -1;
    bool program_ended = false;
    bool ending = false;
    int rounds = 0;  // of killing what is left
    Clock::time_point next_round{};
    ProgramEnded report;
  };
  // Until it is reaped, also when its run was given up.
  struct Program {
    std::uint64_t run = 0;  // id
    ObjectPool<ProgramStart>::Pointer start;
  };

  // While programs run, whoever ended is looked for also without a signal: no end may hang on one
  // notification.
  std::chrono::milliseconds patience() const {
    if (!ending_.empty()) return kill_round_pause;
    return runs_.empty() ? std::chrono::milliseconds(-1) : look_again_after;
  }

  // False when the worker is gone.
  bool serve_worker() {
    Packet packet;
    const ssize_t count = receive_packet(worker_.get(), {room_.get(), packet_bytes_max}, packet);
    const bool incomplete = count < 0 && errno == EMSGSIZE;
    if (count < 0 && !incomplete) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    auto message = decode(packet.bytes);
    if (!message) return true;
    if (auto* start = std::get_if<StartProgram>(&*message)) {
      if (incomplete) {
        tell({.id = start->id, .start_error = EMFILE});
      } else {
        begin(*start, packet.fds);
      }
    } else if (const auto* end = std::get_if<EndProgram>(&*message)) {
      const auto run = runs_.find(end->id);
      if (run != runs_.end()) begin_end(end->id, run->second);
    }
    return true;
  }

  void begin(StartProgram& start, const std::vector<UniqueFd>& files) {
    ProgramEnded report;
    report.id = start.id;
    if (files.size() != 3 && files.size() != 4) {
      report.start_error = EINVAL;
      return tell(report);
    }
    start.environment.push_back(fmt::format("{}={}", spawn_run_variable, start.id));
    auto program = starts_.make();
    const auto pid = program->begin(std::move(start),
                                    {.in = files[0].get(),
                                     .out = files[1].get(),
                                     .err = files[2].get(),
                                     .module = files.size() == 4 ? files[3].get() : -1},
                                    program_cpus_ ? &*program_cpus_ : nullptr);
    if (!pid) {
      report.start_error = pid.error();
      return tell(report);
    }
    Run run;
    run.pid = *pid;
    run.report = report;
    runs_.emplace(report.id, run);
    programs_.emplace(*pid, Program{report.id, std::move(program)});
  }

  void reap() {
    signalfd_siginfo told;  // one for all who have ended: a signal is pending or not
    static_cast<void>(read(children_ended_.get(), &told, sizeof told));
    int status = 0;
    rusage used{};
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);  // it had itself traced by its parent (PTRACE_TRACEME): nobody would let it go on
      } else {
        account(pid, status, used);
      }
    }
  }

  void account(pid_t pid, int status, const rusage& used) {
    const auto program = programs_.find(pid);
    if (program != programs_.end()) {
      account_program(program->second, status, used);
      programs_.erase(program);
      return;
    }
    const auto orphan = run_of_orphan_.find(pid);
    if (orphan != run_of_orphan_.end()) {
      const auto run = runs_.find(orphan->second);
      run_of_orphan_.erase(orphan);
      if (run != runs_.end()) add_use(used, run->second.report);
    } else if (runs_.size() == 1) {
      add_use(used, runs_.begin()->second.report);  // with several, nobody can tell any more whose it was
    }
  }

  void account_program(const Program& program, int status, const rusage& used) {
    const auto found = runs_.find(program.run);
    if (found == runs_.end()) return;  // it was given up
    Run& run = found->second;
    add_use(used, run.report);
    run.report.wait_status = status;
    run.report.start_error = program.start->error();
    run.program_ended = true;
    begin_end(program.run, run);
  }

  static void add_use(const rusage& used, ProgramEnded& report) {
    report.cpu += to_microseconds(used.ru_utime) + to_microseconds(used.ru_stime);
    report.memory_bytes_peak =
        std::max(report.memory_bytes_peak, static_cast<std::uint64_t>(used.ru_maxrss) * 1024);
  }

  void begin_end(std::uint64_t id, Run& run) {
    run.next_round = {};
    if (std::exchange(run.ending, true)) return;
    ending_.push_back(id);
  }

  // Tells the end of the runs of which nothing is left.
  void settle() {
    for (std::size_t i = 0; i < ending_.size();) {
      if (!is_over(ending_[i])) {
        ++i;
        continue;
      }
      const auto over = runs_.find(ending_[i]);
      tell(over->second.report);
      runs_.erase(over);
      ending_.erase(ending_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Kills what is left, in rounds, for whoever forks meanwhile.
  bool is_over(std::uint64_t id) {
    Run& run = runs_.at(id);
    if (run.program_ended && !has_orphans()) return true;
    const auto now = Clock::now();
    if (now < run.next_round) return false;
    run.next_round = now + kill_round_pause;
    const bool is_gone = kill_all(id, run) == 0 && run.program_ended;
    return is_gone || ++run.rounds > kill_rounds_max;
  }

  // Whether anyone but the programs themselves is our child: whoever lost its parent is. When a program has
  // been reaped, what it left behind is our child already or below one.
  bool has_orphans() const { return own_children_.more_than(programs_.size()); }

  // How many processes of the run were still there.
  std::size_t kill_all(std::uint64_t id, const Run& run) {
    std::vector<pid_t> targets;
    if (!run.program_ended) {
      targets = descendants_of(run.pid);
      kill(-run.pid, SIGKILL);
      kill(run.pid, SIGKILL);
    }
    for (const pid_t child : own_children_.list()) {
      if (programs_.count(child) != 0 || !may_claim(id, run, child)) continue;
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
    const pid_t group = getpgid(orphan);
    if (group == run.pid) return true;
    const std::string marked = initial_environment(orphan, spawn_run_variable);
    if (marked == fmt::format("{}", id)) return true;
    for (const auto& [other_id, other] : runs_) {
      if (other_id == id) continue;
      if (group == other.pid || marked == fmt::format("{}", other_id)) return false;
    }
    return true;
  }

  // The worker always reads; should it be slow, or the kernel have no memory for the packet, the end waits:
  // one that were lost would be a request that hangs.
  void tell(const ProgramEnded& report) {
    unsent_.push_back(*encode(report));
    if (unsent_.size() == 1) send_unsent();
  }

  void send_unsent() {
    while (!unsent_.empty()) {
      const bool sent = send_packet(worker_.get(), unsent_.front()) >= 0;
      if (!sent && errno != EPIPE && errno != ECONNRESET) return;
      unsent_.pop_front();  // if the worker is gone, the loop is about to end
    }
  }

  UniqueFd worker_;
  UniqueFd children_ended_;  // signalfd of SIGCHLD
  std::optional<cpu_set_t> program_cpus_;
  OwnChildren own_children_;
  std::unique_ptr<char[]> room_ = packet_room();
  std::deque<std::string> unsent_;
  std::unordered_map<std::uint64_t, Run> runs_;
  ObjectPool<ProgramStart> starts_{idle_starts_max};
  std::vector<std::uint64_t> ending_;  // ids
  std::unordered_map<pid_t, Program> programs_;
  std::unordered_map<pid_t, std::uint64_t> run_of_orphan_;
};

// The CPUs that programs may run on, if they are not those of this process from now on.
std::optional<cpu_set_t> keep_programs_free(std::optional<unsigned> cpu) {
  cpu_set_t before;
  if (!cpu || sched_getaffinity(0, sizeof before, &before) != 0) return std::nullopt;
  keep_to(*cpu);
  return before;
}

}  // namespace

int run_spawner(UniqueFd socket, std::optional<unsigned> cpu) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  if (setsid() < 0) return 1;  // no program has a terminal, and the supervisor knows whose they are
  // As ProgramStart wants it. What would end us is blocked for good: we end with the worker.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int number = 1; number < SIGRTMIN; ++number) std::signal(number, SIG_DFL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  UniqueFd children_ended(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!children_ended) return 1;
  Spawner spawner(std::move(socket), std::move(children_ended), keep_programs_free(cpu));
  spawner.serve();
  spawner.end_everyone();
  return 0;
}

}  // namespace tollgate::gateway
