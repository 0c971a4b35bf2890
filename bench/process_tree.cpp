#include "bench/process_tree.hpp"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

namespace tollgate::bench {
namespace {

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

struct Stat {
  pid_t parent = 0;
  std::int64_t reaped_ticks = 0;  // cutime + cstime
};

// proc(5): fields after the command, which is in parentheses and may hold anything.
std::optional<Stat> read_stat(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  std::string state;
  Stat stat;
  fields >> state >> stat.parent;
  std::string skipped;
  for (int field = 5; field <= 15; ++field) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> user >> system;
  stat.reaped_ticks = user + system;
  return stat;
}

std::int64_t process_clock(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return 0;  // gone meanwhile
  return used.tv_sec * nanoseconds_per_second + used.tv_nsec;
}

}  // namespace

std::vector<pid_t> tree_of(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      continue;
    if (const auto stat = read_stat(name)) children.emplace(stat->parent, std::stoi(name));
  }
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto [first, last] = children.equal_range(tree[i]);
    for (auto child = first; child != last; ++child) tree.push_back(child->second);
  }
  return tree;
}

std::int64_t cpu_nanoseconds(pid_t root) {
  return cpu_nanoseconds(tree_of(root));
}

std::int64_t cpu_nanoseconds(const std::vector<pid_t>& tree) {
  static const std::int64_t tick_nanoseconds = nanoseconds_per_second / ::sysconf(_SC_CLK_TCK);
  std::int64_t used = 0;
  for (const pid_t pid : tree) {
    used += process_clock(pid);
    if (const auto stat = read_stat(std::to_string(pid))) used += stat->reaped_ticks * tick_nanoseconds;
  }
  return used;
}

Memory memory_of_tree(pid_t root) {
  Memory memory;
  for (const pid_t pid : tree_of(root)) {
    std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
    for (std::string line; std::getline(rollup, line);) {
      std::istringstream words(line);
      std::string key;
      std::uint64_t kibibytes = 0;
      words >> key >> kibibytes;
      if (key == "Pss:") memory.pss_bytes += kibibytes * 1024;
      if (key == "Private_Dirty:") memory.private_bytes += kibibytes * 1024;
    }
  }
  return memory;
}

}  // namespace tollgate::bench
