// Content of any size handed to another process as a sealed memory file: once made, nobody can change it.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

inline constexpr std::size_t memory_file_bytes_max = 64u << 20;

expected<UniqueFd, std::string> make_memory_file(const char* name, std::string_view content);
expected<std::string, std::string> read_memory_file(int fd);

}  // namespace tollgate::gateway
