// The subcommands: one file each, one line each in `commands`. A command adds itself to the application with
// its options and its help, and a callback that does the work and sets `exit_code`.
//
// Exit codes, for scripts: 0 it worked, 1 it failed (the reason is on stderr), 2 the command line is wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tollgate::cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

// For an option or argument that must say something: "$UNSET" in a script says nothing.
inline const CLI::Validator not_empty(
    [](const std::string& given) { return given.empty() ? "is empty" : ""; }, "");

// `exit_code` outlives the application.
void add_serve(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_compile(CLI::App& app, int& exit_code);
void add_invoke(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);

inline constexpr void (*const commands[])(CLI::App& app, int& exit_code) = {
    add_serve, add_check, add_compile, add_invoke, add_doctor,
};

}  // namespace tollgate::cli
