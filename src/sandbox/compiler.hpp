// Compiling a module in a child process, because compilation of a hostile module can take any time and any
// memory and cannot be interrupted from inside. The child (compiler_child.hpp) gets the module as its stdin
// and writes a container (bundle_file.hpp) to its stdout, both memory files; it is limited in CPU time,
// memory, output and wall time, unprivileged when we are root, and never sees the cache. When it is gone the
// container is sealed and read with suspicion: it must be whole and about the module we gave.
//
// Threads: a Compilation belongs to one thread; several may run at once (compilations_max()).
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::sandbox {

// Generous for the largest real handlers (Go's standard library or an interpreter, some 10 MB, take 13 s of
// CPU: seconds on cores of its own, 25 s on a machine that four others use), an end for compile bombs.
struct CompileLimits {
  std::chrono::seconds cpu{60};  // of all threads of the child together
  std::chrono::milliseconds wall{40'000};
  std::uint64_t address_space_bytes = 2ull << 30;  // beyond what the program itself takes
  std::uint64_t output_bytes = 512ull << 20;       // of machine code
};

inline constexpr std::uint64_t module_bytes_max = 128ull << 20;

struct CompileOptions {
  std::string name;                             // into the manifest, for logs
  std::uint64_t memory_bytes_max = 1ull << 30;  // a larger initial memory is refused
  CompileLimits limits;
  std::string executable = "/proc/self/exe";  // a program whose `compile-module` is compiler_child_main
};

struct CompileError {
  enum class Reason : std::uint8_t {
    refused,  // the module cannot run here
    cpu,
    wall,
    memory,
    output,
    crashed,  // the compiler died of something else
    system,   // it could not be started, or its result could not be read
  };
  Reason reason = Reason::system;
  std::string sentence;  // to follow the module's name and a colon
};

// One child at work.
class Compilation {
 public:
  // Copies the module; does not wait.
  static expected<Compilation, CompileError> start(std::span<const std::uint8_t> module,
                                                   const CompileOptions& options);

  Compilation(Compilation&& other) noexcept;
  Compilation& operator=(Compilation&&) = delete;
  ~Compilation();  // kills and reaps a child that still runs

  // Readable when poll() will have a result: the child ended, or its wall time is over.
  int pollable() const { return ready_.get(); }

  // The result, once; nullopt while the child works. Kills a child whose wall time is over. Never blocks.
  std::optional<expected<BundleFds, CompileError>> poll();

  // Blocks until there is a result: at most the wall limit.
  expected<BundleFds, CompileError> wait();

 private:
  Compilation() = default;

  expected<BundleFds, CompileError> result(const siginfo_t& status);
  CompileError death(const siginfo_t& status, const std::string& report) const;

  CompileLimits limits_;
  std::string module_digest_;
  std::chrono::steady_clock::time_point deadline_;
  pid_t child_ = -1;  // reaped when -1
  UniqueFd process_;  // pidfd
  UniqueFd timer_;
  UniqueFd ready_;  // epoll over the two above
  UniqueFd container_;
  UniqueFd report_;  // the child's stderr
  bool killed_for_time_ = false;
};

// start and wait.
expected<BundleFds, CompileError> compile(std::span<const std::uint8_t> module,
                                          const CompileOptions& options);

// How many compilations may usefully run at once: one per core.
std::size_t compilations_max();

}  // namespace tollgate::sandbox
