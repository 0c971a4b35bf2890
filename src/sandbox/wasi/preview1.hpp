// WASI preview 1 for one run: what `wasi_snapshot_preview1` means here, written once in plain C++ over
// GuestMemory and HostValue, so that every engine binds the same functions.
//
// The world a guest sees: stdin is the request body, stdout becomes the response, stderr goes to the log;
// environment and arguments are the Input's; clocks and random numbers are real; of the file system there is
// only what Input::directories grants. Sockets, signals and CPU clocks (they would tell of other runs on the
// same thread) are denied by errno. Spec: WebAssembly/WASI, tag snapshot-01,
// phases/snapshot/witx/{wasi_snapshot_preview1,typenames}.witx; comments name their items.
//
// In this folder: preview1 the table and a run's state; streams, environment, clocks, poll, files and paths
// the functions by family; descriptors the table of open ones; beneath the confinement of paths; limits the
// bounds.
//
// Safety: guest pointers are checked by GuestMemory only, at each use; the kernel never sees a guest address;
// each call is bounded (limits.hpp). Nothing here throws or trusts an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "sandbox/guest.hpp"
#include "sandbox/program.hpp"
#include "sandbox/wasi/descriptors.hpp"

namespace tollgate::sandbox {

inline constexpr std::string_view preview1_module = "wasi_snapshot_preview1";

// All 46 functions, ordered by name. An import of preview1_module that is not here, or has another signature,
// must be refused when a program is compiled.
std::span<const HostFunction> preview1_functions();

// One run's state. Construction copies the Input's views and allocates nothing; what they point to, and the
// Sink, must outlive it.
class Preview1 {
 public:
  // Why a function answered HostCall::end.
  enum class End : std::uint8_t {
    none,
    exit,    // proc_exit: exit_code() has the code
    output,  // stdout passed Limits::output_bytes_max, or the Sink refused it
  };

  Preview1(const Input& input, Sink& sink) : input_(input), sink_(sink), descriptors_(input.directories) {}
  Preview1(const Preview1&) = delete;
  Preview1& operator=(const Preview1&) = delete;

  // For the engine.
  End end() const { return end_; }
  std::uint32_t exit_code() const { return exit_code_; }
  // After HostCall::wait: when to resume at the latest; nullopt when only the Source or the Sink can tell.
  std::optional<SteadyTime> wake_at() const { return wake_at_; }
  std::uint64_t output_bytes() const { return output_bytes_; }
  std::uint64_t stderr_bytes_dropped() const { return stderr_dropped_; }

  // For the functions of this folder.
  const Input& input() const { return input_; }
  Sink& sink() { return sink_; }
  wasi::Descriptors& descriptors() { return descriptors_; }
  const wasi::Descriptors& descriptors() const { return descriptors_; }

  HostCall end_by_exit(std::uint32_t code) {
    end_ = End::exit;
    exit_code_ = code;
    return HostCall::end;
  }
  HostCall end_by_output() {
    end_ = End::output;
    return HostCall::end;
  }
  HostCall wait_until(std::optional<SteadyTime> wake) {
    wake_at_ = wake;
    return HostCall::wait;
  }

  void count_output(std::uint64_t bytes) { output_bytes_ += bytes; }
  // To the log, as far as the bound allows; the rest is counted only.
  void log(std::string_view bytes);

  // What a call that answered `wait` keeps until it is called again. At most one call is ever suspended.
  struct Suspended {
    bool active = false;
    std::uint64_t progress_bytes = 0;  // random_get
    SteadyTime since{};                // poll_oneoff: when its relative timeouts began
  };
  Suspended& suspended() { return suspended_; }

 private:
  const Input input_;
  Sink& sink_;
  wasi::Descriptors descriptors_;
  std::optional<SteadyTime> wake_at_;
  Suspended suspended_;
  std::uint64_t output_bytes_ = 0;
  std::uint64_t stderr_bytes_ = 0;
  std::uint64_t stderr_dropped_ = 0;
  std::uint32_t exit_code_ = 0;
  End end_ = End::none;
};

}  // namespace tollgate::sandbox
