#include "gateway/config/program_path.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace tollgate::gateway {

bool is_program(const std::filesystem::path& file) {
  std::error_code failed;
  return std::filesystem::is_regular_file(file, failed) && access(file.c_str(), X_OK) == 0;
}

std::optional<std::string> find_on_path(const std::string& program, std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string_view folder = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (folder.empty()) continue;
    std::string file = std::string(folder) + "/" + program;
    if (is_program(file)) return file;
  }
  return std::nullopt;
}

std::optional<std::string> find_on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  return find_on_path(program, path != nullptr ? std::string_view(path) : path_default);
}

}  // namespace tollgate::gateway
