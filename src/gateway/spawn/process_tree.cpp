#include "gateway/spawn/process_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace tollgate::gateway {
namespace {

std::string read_file(int file) {
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t count;
       (count = pread(file, piece.data(), piece.size(), static_cast<off_t>(text.size()))) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::string read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_file(file.get()) : std::string();
}

std::string children_path(pid_t parent) {
  return fmt::format("/proc/{0}/task/{0}/children", parent);
}

std::vector<pid_t> pids_in(const std::string& text) {
  std::vector<pid_t> list;
  for (const char* at = text.data(); at < text.data() + text.size(); ++at) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), pid);
    if (error == std::errc()) list.push_back(pid);
    at = end;
  }
  return list;
}

}  // namespace

OwnChildren::OwnChildren() : file_(open(children_path(getpid()).c_str(), O_RDONLY | O_CLOEXEC)) {}

bool OwnChildren::more_than(std::size_t count) const {
  std::array<char, 4096> list;
  const ssize_t bytes = pread(file_.get(), list.data(), list.size(), 0);
  if (bytes < 0) return true;
  // The kernel gives about a page at a time; each process is followed by a space.
  if (static_cast<std::size_t>(bytes) > list.size() / 2)
    return pids_in(read_file(file_.get())).size() > count;
  return static_cast<std::size_t>(std::count(list.begin(), list.begin() + bytes, ' ')) > count;
}

std::vector<pid_t> OwnChildren::list() const {
  return pids_in(read_file(file_.get()));
}

std::vector<pid_t> children_of(pid_t parent) {
  // Threads other than the first have lists of their own; programs that fork from one are found when they
  // end.
  return pids_in(read_file(children_path(parent)));
}

std::vector<pid_t> descendants_of(pid_t root) {
  std::vector<pid_t> found = children_of(root);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto below = children_of(found[i]);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

std::string initial_environment(pid_t pid, std::string_view name) {
  const std::string text = read_file(fmt::format("/proc/{}/environ", pid));
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view entry(text.c_str() + at);
    if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=') {
      return std::string(entry.substr(name.size() + 1));
    }
    at += entry.size() + 1;
  }
  return {};
}

}  // namespace tollgate::gateway
