// Programs by name, as a shell finds them: for `spawn`, for engines' command lines and for `tollgate doctor`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::gateway {

inline constexpr std::string_view path_default = "/usr/local/bin:/usr/bin:/bin";  // where PATH is not set

// A regular file that this process may execute: a folder may be "executable", too.
bool is_program(const std::filesystem::path& file);

// The first program of that name in the folders of `path`, which ':' separates. An empty one is passed over:
// it means the current folder, and what lies there is nobody's choice.
std::optional<std::string> find_on_path(const std::string& program, std::string_view path);
// By this process's PATH.
std::optional<std::string> find_on_path(const std::string& program);

}  // namespace tollgate::gateway
