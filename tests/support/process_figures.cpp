#include "tests/support/process_figures.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tollgate::testing {
namespace {

std::ifstream open(pid_t pid, const char* file) {
  return std::ifstream(fmt::format("/proc/{}/{}", pid, file));
}

std::string row_after(std::ifstream file, const std::string& start) {
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(start)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", start.size());
    const std::size_t end = line.find_last_not_of(" \t");
    return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return "";
}

std::uint64_t rollup_kib(pid_t pid, const std::string& name) {
  const std::string row = row_after(open(pid, "smaps_rollup"), name + ":");
  return row.empty() ? 0 : std::stoull(row);
}

}  // namespace

ProcessFigures figures_of(pid_t pid) {
  ProcessFigures figures;
  const auto folder = std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid));
  figures.descriptors = static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
  std::ifstream maps = open(pid, "maps");
  for (std::string line; std::getline(maps, line);) ++figures.mappings;
  figures.memory_kib = rollup_kib(pid, "Pss_Anon") + rollup_kib(pid, "Pss_Shmem");
  return figures;
}

bool has_ended(pid_t pid) {
  const std::string state = status_value(pid, "State");
  return state.empty() || state.starts_with("Z");
}

std::string status_value(pid_t pid, const std::string& name) {
  return row_after(open(pid, "status"), name + ":");
}

std::string limit_row(pid_t pid, const std::string& name) {
  return row_after(open(pid, "limits"), name);
}

}  // namespace tollgate::testing
