// Runs a command to its end while nobody is served: at start, at a reload, in `tollgate doctor`.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/expected.hpp"

namespace tollgate::gateway {

// The executable file of that name in the folders of PATH.
std::optional<std::string> find_on_path(const std::string& program);

// What the command wrote to both streams (the first 4 KiB), when it ended with exit code 0 within `limit`;
// otherwise a sentence with the end of that. It has our environment, an empty stdin and a process group of
// its own, which is killed in the end. argv[0] is a path. Blocks.
expected<std::string, std::string> run_tool(const std::vector<std::string>& argv,
                                            std::chrono::milliseconds limit);

}  // namespace tollgate::gateway
