#include "gateway/spawn/program_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "base/task_group.hpp"
#include "sandbox/program.hpp"

namespace tollgate::gateway {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
using Ending = ProgramOutcome::Ending;

constexpr std::size_t piece_bytes = 16u << 10;

// What is waited for without watching its pipes; whoever writes more than a pipe holds waits that long, once.
constexpr std::chrono::milliseconds watch_after{10};
// Much output: the next run's pipes are watched from the start.
constexpr std::size_t much_bytes = 32u << 10;

// How long a spawner that died is waited for: the supervisor starts another after a tenth of that.
constexpr std::chrono::seconds spawner_awaited_max{1};

struct Pipe {
  UniqueFd ours;    // does not block
  UniqueFd theirs;  // blocks, as programs expect
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (fcntl(made.ours.get(), F_SETFL, O_NONBLOCK) != 0) return std::nullopt;
  return made;
}

// A fresh pipe takes as much whole, however few pages the kernel still grants it (pipe(7)).
constexpr std::size_t piped_body_bytes_max = 4096;

UniqueFd body_pipe(std::string_view body) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return UniqueFd();
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const bool taken = write(write_end.get(), body.data(), body.size()) == static_cast<ssize_t>(body.size());
  return taken ? std::move(read_end) : UniqueFd();
}

UniqueFd body_file(std::string_view body) {
  UniqueFd file(memfd_create("body", MFD_CLOEXEC));
  if (!file) return file;
  for (std::size_t at = 0; at < body.size();) {
    const ssize_t count = pwrite(file.get(), body.data() + at, body.size() - at, static_cast<off_t>(at));
    if (count <= 0) return UniqueFd();
    at += static_cast<std::size_t>(count);
  }
  return file;
}

// The whole body, there before the program starts: a large one as a file in memory. Nothing has to be pumped
// into a pipe that the program may never read.
UniqueFd body_input(std::string_view body) {
  return body.size() <= piped_body_bytes_max ? body_pipe(body) : body_file(body);
}

const char* start_remedy(int error) {
  switch (error) {
    case ENOENT:
      return "it, or the interpreter its first line names, is gone: put it back, or name another program in "
             "the route";
    case EACCES:
      return "it, or the interpreter its first line names, must be a file that the user it runs as may reach "
             "and execute (chmod a+rx), or name another user by `user`";
    case ENOEXEC:
      return "it is no program of this machine; a script's first line names its interpreter (#!/bin/sh)";
    case E2BIG:
      return "the request's environment and the arguments are too long for the kernel; lower the route's "
             "limits";
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return "the machine has no room for one more process; lower the route's limit `concurrent`";
    default:
      return "run it by hand as the user it runs as";
  }
}

class ProgramRun {
 public:
  ProgramRun(const Executor& executor, const ProgramServices& services, const ProgramBounds& bounds,
             http::Cancellation& cancellation, std::string& output, GuestStderr& lines)
      : executor_(executor),
        run_(services.spawner),
        wheel_(services.wheel),
        bounds_(bounds),
        cancellation_(cancellation),
        output_(output),
        lines_(lines),
        complaint_bytes_left_(bounds.stderr_bytes_max),
        readers_(executor) {}

  Task<ProgramOutcome> run(ProgramInput input) {
    const std::string program = input.start.argv.front();
    const std::string_view name = input.name.empty() ? program : input.name;
    cpu_max_ = std::chrono::seconds(input.start.limits.cpu_seconds);
    auto out = make_pipe();
    auto err = make_pipe();
    UniqueFd in = body_input(input.body);
    if (!out || !err || !in) {
      co_return failed(
          fmt::format("{}: no descriptors for it: {}; raise the gateway's bound (ulimit -n), or "
                      "lower the route's limit `concurrent`",
                      program, std::strerror(errno)));
    }
    const http::Cancellation::Guard guard(cancellation_, {&cancel, this});
    if (!run_.has_spawner()) co_await next_spawner();
    if (cancelled_) co_return ProgramOutcome{.ending = Ending::cancelled};
    const SpawnClient::Files files{in.get(), out->theirs.get(), err->theirs.get(), input.module};
    const auto asked = co_await run_.start(std::move(input.start), files);
    if (!asked) co_return failed(fmt::format("{}: {}", program, asked.error()));
    if (cancelled_) run_.end();
    in.reset();
    out->theirs.reset();
    err->theirs.reset();
    out_.pipe = std::move(out->ours);
    err_.pipe = std::move(err->ours);
    if (input.expected == ProgramInput::Output::much) {
      watch();
    } else {
      wheel_.arm_after(watch_, watch_after);
    }
    co_await run_.ended();
    stop_watching();
    co_await readers_.wait();
    take_rest(out_);
    take_rest(err_);
    co_return outcome(program, name);
  }

 private:
  using Take = void (ProgramRun::*)(std::string_view);

  // One of the two pipes that the program writes to.
  struct Stream {
    Take take;
    UniqueFd pipe;                      // until it is watched
    std::optional<Descriptor> watched;  // from then on
  };

  static void cancel(void* self, const http::Reason&) {
    auto& run = *static_cast<ProgramRun*>(self);
    run.cancelled_ = true;
    run.run_.end();
  }

  Task<> next_spawner() {
    wheel_.arm_after(patience_, spawner_awaited_max);
    co_await run_.spawner_connected();
    patience_.disarm();
  }
  static void patience_over(void* self) { static_cast<ProgramRun*>(self)->run_.end(); }

  // Most programs end soon and write less than a pipe holds: reading them once at the end costs a fraction of
  // waking up for each piece and each end of file. The others are watched from here on.
  void watch() {
    readers_.spawn(read_pipe(out_.watched.emplace(executor_, out_.pipe.release()), out_.take));
    readers_.spawn(read_pipe(err_.watched.emplace(executor_, err_.pipe.release()), err_.take));
  }
  static void watch_time_over(void* self) { static_cast<ProgramRun*>(self)->watch(); }

  Task<> read_pipe(Descriptor& pipe, Take take) {
    std::array<char, piece_bytes> piece;
    while (!over_) {
      const auto [error, count] = co_await pipe.async_read_some(asio::buffer(piece), use_task_tuple);
      if (error) co_return;
      (this->*take)({piece.data(), count});
    }
  }

  // Without waiting for the end of the pipes: the program may have handed them to a process that lives on.
  void stop_watching() {
    watch_.disarm();
    over_ = true;
    error_code ignored;
    for (Stream* const stream : {&out_, &err_}) {
      if (stream->watched) stream->watched->cancel(ignored);
    }
  }

  // Nobody of the run is left to write, so a short read is the last; and what others may write meanwhile does
  // not make it more than a pipe holds.
  void take_rest(Stream& stream) {
    const int pipe = stream.watched ? stream.watched->native_handle() : stream.pipe.get();
    std::array<char, piece_bytes> piece;
    for (std::size_t taken = 0;;) {
      const ssize_t count = read(pipe, piece.data(), piece.size());
      if (count > 0) (this->*stream.take)({piece.data(), static_cast<std::size_t>(count)});
      if (count < static_cast<ssize_t>(piece.size())) return;
      taken += piece.size();
      if (std::cmp_greater_equal(taken, fcntl(pipe, F_GETPIPE_SZ))) return;
    }
  }

  void take_output(std::string_view piece) {
    bytes_written_ += piece.size();
    if (too_much_) return;  // until the program is gone
    if (output_.size() + piece.size() > bounds_.output_bytes_max) {
      too_much_ = true;
      run_.end();
    } else {
      output_.append(piece);
    }
  }

  void take_complaints(std::string_view piece) {
    bytes_written_ += piece.size();
    const std::string_view kept =
        piece.substr(0, std::min<std::uint64_t>(piece.size(), complaint_bytes_left_));
    lines_.write(kept);
    complaint_bytes_left_ -= kept.size();
    if (kept.size() < piece.size() && !std::exchange(complaints_cut_, true)) {
      lines_.write(sandbox::stderr_cut_note);
    }
  }

  static ProgramOutcome failed(std::string detail) {
    return {.ending = Ending::start, .detail = std::move(detail)};
  }

  // By RLIMIT_CPU: the kernel sends SIGXCPU first, and SIGKILL a second later to who ignores it.
  bool is_out_of_cpu(int signal_number, std::chrono::microseconds used) const {
    if (signal_number == SIGXCPU) return true;
    return signal_number == SIGKILL && cpu_max_.count() > 0 && used >= cpu_max_;
  }

  ProgramOutcome by_signal(ProgramOutcome result, std::string_view name, int signal_number) const {
    const bool cpu = is_out_of_cpu(signal_number, result.cpu);
    const char* const remedy = cpu                        ? "raise the route's limit `cpu`"
                               : signal_number == SIGKILL ? "the kernel does that where memory runs out"
                                                          : "run it by hand on the same input";
    result.ending = cpu ? Ending::cpu : Ending::signal;
    result.detail = fmt::format("{} was ended by signal {} ({}); {}", name, signal_number,
                                strsignal(signal_number), remedy);
    return result;
  }

  ProgramOutcome outcome(std::string_view program, std::string_view name) const {
    const ProgramEnded& report = run_.report();
    ProgramOutcome result{.wrote_much = bytes_written_ >= much_bytes,
                          .cpu = report.cpu,
                          .memory_bytes_peak = report.memory_bytes_peak};
    const int status = report.wait_status;
    if (too_much_) {
      result.ending = Ending::output;
      result.detail = fmt::format("{} wrote more than {} bytes; raise the route's limit `output`", name,
                                  bounds_.output_bytes_max);
    } else if (cancelled_) {
      result.ending = Ending::cancelled;
    } else if (report.start_error == EPIPE) {
      return failed(fmt::format("{}: the spawner has ended; it is started again", program));
    } else if (report.start_error != 0) {
      return failed(fmt::format("{} cannot be started: {}; {}", program, std::strerror(report.start_error),
                                start_remedy(report.start_error)));
    } else if (WIFSIGNALED(status)) {
      return by_signal(std::move(result), name, WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
      result.ending = Ending::exit_code;
      result.code = WEXITSTATUS(status);
      result.detail = fmt::format("{} ended with exit code {}; what it wrote to stderr is in the log", name,
                                  WEXITSTATUS(status));
    }
    return result;
  }

  Executor executor_;
  SpawnClient::Run run_;
  TimerWheel& wheel_;
  const ProgramBounds& bounds_;
  http::Cancellation& cancellation_;
  std::string& output_;
  GuestStderr& lines_;
  Stream out_{.take = &ProgramRun::take_output};
  Stream err_{.take = &ProgramRun::take_complaints};
  std::uint64_t complaint_bytes_left_;
  bool complaints_cut_ = false;
  std::uint64_t bytes_written_ = 0;
  TaskGroup readers_;
  TimerWheel::Deadline watch_{&watch_time_over, this};
  TimerWheel::Deadline patience_{&patience_over, this};
  std::chrono::microseconds cpu_max_{};  // 0: unlimited
  bool over_ = false;                    // nobody of the run is left
  bool cancelled_ = false;
  bool too_much_ = false;
};

}  // namespace

Task<ProgramOutcome> run_program(const ProgramServices& services, ProgramInput input,
                                 const ProgramBounds& bounds, http::Cancellation& cancellation,
                                 std::string& output, GuestStderr& lines) {
  const Executor executor = co_await asio::this_coro::executor;
  ProgramRun run(executor, services, bounds, cancellation, output, lines);
  co_return co_await run.run(std::move(input));
}

}  // namespace tollgate::gateway
