// Routes that spawn programs, and what is left of these.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>

#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {

inline std::string spawn_route(const std::string& path, const std::string& argv,
                               const std::string& more = "abi = \"stdio\"") {
  return "[[route]]\npath = \"" + path + "\"\nspawn = [" + argv + "]\n" + more + "\n";
}

inline std::string shell(const std::string& path, const std::string& script,
                         const std::string& more = "abi = \"stdio\"") {
  return spawn_route(path, "\"sh\", \"-c\", '''" + script + "'''", more);
}

// Empty when the process goes away meanwhile.
inline std::string command_line(const std::filesystem::path& process) {
  try {
    return read_file(process / "cmdline");
  } catch (const std::ios_base::failure&) {
    return {};
  }
}

// Processes that were started with `mark` among their arguments.
inline int processes_with(const std::string& mark) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = command_line(entry.path());
    if (line.find(mark) != std::string::npos && line.find("sleep") != std::string::npos) ++count;
  }
  return count;
}

inline bool all_gone(const std::string& mark) {
  return eventually([&] { return processes_with(mark) == 0; });
}

inline pid_t child_named(pid_t parent, const std::string& argument) {
  std::ifstream list("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  for (pid_t pid = 0; list >> pid;) {
    const std::string line = command_line("/proc/" + std::to_string(pid));
    if (line.find(argument) != std::string::npos) return pid;
  }
  return -1;
}

// Asks again until the route answers with 200: a spawner that died is replaced in a moment.
inline bool soon_answers(std::uint16_t port, const std::string& target) {
  return eventually([&] { return request(port, "POST", target, "x").status == 200; });
}

}  // namespace tollgate::testing
