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

#include "base/task_group.hpp"

namespace tollgate::gateway {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
using Ending = ProgramOutcome::Ending;

constexpr std::size_t piece_bytes = 16u << 10;

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

// The whole body as a file in memory: nothing has to be pumped into a pipe that the program may never read.
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

class ProgramRun {
 public:
  ProgramRun(SpawnClient& client, const ProgramBounds& bounds, http::Cancellation& cancellation, std::string& output,
             GuestStderr& lines)
      : run_(client), bounds_(bounds), cancellation_(cancellation), output_(output), lines_(lines) {}

  Task<ProgramOutcome> run(Executor executor, ProgramInput input) {
    std::string name = input.start.argv.front();
    auto out = make_pipe();
    auto err = make_pipe();
    UniqueFd in = body_file(input.body);
    if (!out || !err || !in) {
      co_return failed(fmt::format("{}: no descriptors for it: {}", name, std::strerror(errno)));
    }
    const http::Cancellation::Guard guard(cancellation_, {&cancel, this});
    const SpawnClient::Files files{in.get(), out->theirs.get(), err->theirs.get(), input.module};
    const auto asked = co_await run_.start(std::move(input.start), files);
    if (!asked) co_return failed(fmt::format("{}: {}", name, asked.error()));
    if (cancelled_) run_.end();
    in.reset();
    out->theirs.reset();
    err->theirs.reset();
    TaskGroup readers(executor);
    readers.spawn(read_output(Descriptor(executor, out->ours.release())));
    readers.spawn(read_complaints(Descriptor(executor, err->ours.release())));
    co_await run_.ended();
    co_await readers.wait();  // nobody holds the pipes any more
    co_return outcome(name);
  }

 private:
  static void cancel(void* self, const http::Reason&) {
    auto& run = *static_cast<ProgramRun*>(self);
    run.cancelled_ = true;
    run.run_.end();
  }

  Task<> read_output(Descriptor pipe) {
    std::array<char, piece_bytes> piece;
    for (;;) {
      const auto [error, count] = co_await pipe.async_read_some(asio::buffer(piece), use_task_tuple);
      if (error) co_return;
      if (too_much_) continue;  // until the program is gone
      if (output_.size() + count > bounds_.output_bytes_max) {
        too_much_ = true;
        run_.end();
      } else {
        output_.append(piece.data(), count);
      }
    }
  }

  Task<> read_complaints(Descriptor pipe) {
    std::array<char, piece_bytes> piece;
    std::uint64_t left = bounds_.stderr_bytes_max;
    for (;;) {
      const auto [error, count] = co_await pipe.async_read_some(asio::buffer(piece), use_task_tuple);
      if (error) co_return;
      const std::size_t kept = static_cast<std::size_t>(std::min<std::uint64_t>(count, left));
      lines_.write({piece.data(), kept});
      left -= kept;
    }
  }

  static ProgramOutcome failed(std::string detail) { return {.ending = Ending::start, .detail = std::move(detail)}; }

  ProgramOutcome outcome(const std::string& name) const {
    const ProgramEnded& report = run_.report();
    ProgramOutcome result{.cpu = report.cpu, .memory_bytes_peak = report.memory_bytes_peak};
    const int status = report.wait_status;
    if (too_much_) {
      result.ending = Ending::output;
      result.detail = fmt::format("{} wrote more than {} bytes; raise the route's limit `output`", name,
                                  bounds_.output_bytes_max);
    } else if (cancelled_) {
      result.ending = Ending::cancelled;
    } else if (report.start_error == EPIPE) {
      return failed(fmt::format("{}: the spawner has ended; it is started again", name));
    } else if (report.start_error != 0) {
      return failed(fmt::format("{} cannot be started: {}", name, std::strerror(report.start_error)));
    } else if (WIFSIGNALED(status)) {
      const bool cpu = WTERMSIG(status) == SIGXCPU;
      result.ending = cpu ? Ending::cpu : Ending::signal;
      result.detail = fmt::format("{} was ended by signal {} ({})", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
      result.ending = Ending::exit_code;
      result.code = WEXITSTATUS(status);
      result.detail = fmt::format("{} ended with exit code {}", name, WEXITSTATUS(status));
    }
    return result;
  }

  SpawnClient::Run run_;
  const ProgramBounds& bounds_;
  http::Cancellation& cancellation_;
  std::string& output_;
  GuestStderr& lines_;
  bool cancelled_ = false;
  bool too_much_ = false;
};

}  // namespace

Task<ProgramOutcome> run_program(SpawnClient& client, ProgramInput input, const ProgramBounds& bounds, http::Cancellation& cancellation, std::string& output,
                                 GuestStderr& lines) {
  const Executor executor = co_await asio::this_coro::executor;
  ProgramRun run(client, bounds, cancellation, output, lines);
  co_return co_await run.run(executor, std::move(input));
}

}  // namespace tollgate::gateway
