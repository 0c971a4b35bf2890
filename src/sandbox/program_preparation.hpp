// From paths of modules to bundles that workers can load: out of the cache, or compiled in children, one per
// core at a time, and then kept in the cache. It blocks: for a reload the supervisor gives it a thread.
//
// Only the supervisor and the command line do this; workers open nothing by path.
// Threads: one. Errors are sentences to follow the module's path and a colon.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/compiler.hpp"
#include "sandbox/program_store.hpp"

namespace tollgate::sandbox {

// Whether a file that holds compiled code (tollgate compile -o) is loaded. Loading forged code is code
// execution.
enum class Precompiled : std::uint8_t { refused, trusted };

struct PreparationOptions {
  CompileLimits limits;
  Precompiled precompiled = Precompiled::refused;
  std::size_t children_max = compilations_max();
  std::string executable = "/proc/self/exe";  // as in CompileOptions
};

struct PreparedProgram {
  enum class Origin : std::uint8_t { cache, compiled, file };
  std::string path;
  expected<BundleFds, std::string> bundle;
  Origin origin = Origin::compiled;
  std::string warning;  // "" or why it could not be kept in the cache
};

class ProgramPreparation {
 public:
  // `store` may be null: everything is compiled, nothing kept. `engine` is engine_fingerprint().
  ProgramPreparation(ProgramStore* store, std::string engine, PreparationOptions options);
  ProgramPreparation(const ProgramPreparation&) = delete;
  ProgramPreparation& operator=(const ProgramPreparation&) = delete;
  ~ProgramPreparation();  // ends children that still work

  // To be called before the first advance(). A larger initial memory than `memory_bytes_max` is refused. A
  // path may be added twice and is prepared twice; equal modules are compiled once.
  void add(std::string path, std::uint64_t memory_bytes_max);

  // Does what can be done now and says whether all is done. Reads files, but never waits for a child.
  bool advance();
  // Readable when advance() has something to do; not before the first advance().
  int pollable() const { return ready_.get(); }
  // Blocks until all is done.
  void finish();
  // The same, at most for that long; says whether all is done.
  bool finish_within(std::chrono::milliseconds time);
  // Distinct modules that are not compiled yet.
  std::size_t left() const { return jobs_.size(); }

  // In the order of add(), once all is done.
  std::vector<PreparedProgram> take() { return std::move(results_); }

 private:
  struct Job {  // one distinct module that is not in the cache
    ProgramKey key;
    std::vector<std::uint8_t> module;
    std::string name;
    std::uint64_t memory_bytes_max = 0;
    std::vector<std::size_t> wanted_by;  // indices into results_
    std::optional<Compilation> compilation;
  };

  void look_up(std::size_t index);
  expected<BundleFds, std::string> open_precompiled(int file) const;
  void start_children();
  void settle(Job& job, expected<BundleFds, CompileError> outcome);

  ProgramStore* store_;
  std::string engine_;
  PreparationOptions options_;
  UniqueFd ready_;  // epoll over the children
  bool looked_up_ = false;
  std::list<Job> jobs_;
  std::vector<std::uint64_t> memory_bytes_max_;  // by index into results_
  std::vector<PreparedProgram> results_;
};

// One program, blocking.
PreparedProgram prepare_program(std::string path, std::uint64_t memory_bytes_max, ProgramStore* store,
                                std::string engine, PreparationOptions options = {});

}  // namespace tollgate::sandbox
