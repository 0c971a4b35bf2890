// The compiler's other end: what runs in the child. See compiler.hpp for why there is one.
#pragma once

#include <cstdint>
#include <string>

namespace tollgate::sandbox {

// The hidden subcommand that starts it.
inline constexpr const char* compile_module_command = "compile-module";

struct CompileTask {
  std::string name;  // for the manifest
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t cpu_seconds = 0;
  std::uint64_t address_space_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::int32_t parent = 0;  // its process id: without it there is nobody to compile for
};

// Exit codes beside 0. On any of them stderr holds one sentence.
inline constexpr int compile_exit_refused = 65;  // EX_DATAERR: the module
inline constexpr int compile_exit_system = 71;   // EX_OSERR: we
inline constexpr int compile_exit_output = 73;   // EX_CANTCREAT: more code than CompileTask::output_bytes

// Limits and locks down this process for good, reads a module from stdin, writes its container to stdout
// (both must be seekable files) and returns the exit code.
int compile_module(const CompileTask& task);

// The same with the task in the arguments, as Compilation gives them: PROGRAM compile-module NAME MEMORY CPU
// SPACE OUTPUT PARENT.
int compiler_child_main(int argc, const char* const* argv);

}  // namespace tollgate::sandbox
