#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/unique_fd.hpp"
#include "cli/doctor.hpp"
#include "gateway/process/cpus.hpp"
#include "gateway/process/listeners.hpp"
#include "gateway/process/lockdown.hpp"
#include "gateway/shared_memory.hpp"
#include "sandbox/memory/mapping_budget.hpp"

namespace tollgate::cli {
namespace {

std::optional<std::string> first_line(const char* path) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : -1;
  if (n < 0) return std::nullopt;
  const std::string_view content(text, static_cast<std::size_t>(n));
  return std::string(content.substr(0, content.find('\n')));
}

std::optional<std::uint64_t> number_in(const char* path) {
  const auto line = first_line(path);
  std::uint64_t value = 0;
  if (!line || std::from_chars(line->data(), line->data() + line->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

std::string limit_text(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : fmt::format("{}", value);
}

// System calls that supervisor, workers and directory grants stand on.
Finding examine_calls() {
  utsname name{};
  uname(&name);
  std::string missing;
  const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!self) missing += " pidfd_open";
  if (syscall(SYS_close_range, ~0U, ~0U, 0) != 0) missing += " close_range";
  open_how how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_BENEATH};
  const UniqueFd dot(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how)));
  if (!dot) missing += " openat2";
  if (!gateway::SharedFile::create("doctor", 4096)) missing += " memfd_create";
  if (missing.empty()) return {Verdict::ok, "kernel", fmt::format("{} {}", name.sysname, name.release), ""};
  return {Verdict::problem, "kernel", fmt::format("{} {}, without{}", name.sysname, name.release, missing),
          "Linux 5.9 or newer is needed, and a container's seccomp profile that allows these calls"};
}

Finding examine_cpus() {
  const unsigned usable = gateway::usable_cpus();
  return {Verdict::ok, "CPUs", fmt::format("{} usable of {}", usable, sysconf(_SC_NPROCESSORS_ONLN)),
          fmt::format("workers = 0 starts {}", usable)};
}

Finding examine_reuseport() {
  const auto address = gateway::ListenAddress::open("127.0.0.1:0", 2);
  if (address) return {Verdict::ok, "SO_REUSEPORT", "yes", ""};
  return {Verdict::problem, "SO_REUSEPORT", address.error(),
          "each worker needs a listening socket of its own"};
}

Finding examine_ipv6() {
  if (gateway::listen_alone("[::1]:0")) return {Verdict::ok, "IPv6", "yes", ""};
  return {Verdict::note, "IPv6", "no loopback", "addresses in brackets cannot be served here"};
}

Finding examine_user() {
  if (geteuid() != 0) {
    return {Verdict::ok, "user", fmt::format("uid {}", geteuid()),
            "workers run as the same user; ports below 1024 "
            "may need CAP_NET_BIND_SERVICE"};
  }
  const auto identity = gateway::worker_identity("");
  if (!identity || !*identity)
    return {Verdict::problem, "user", "root", identity ? "no user for workers" : identity.error()};
  return {Verdict::ok, "user", "root",
          fmt::format("workers become uid {} (`user` in the configuration)", (*identity)->uid)};
}

Finding examine_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t wanted = 12'000;  // 10,000 connections, and what else a worker opens
  const bool enough = limit.rlim_max >= wanted;
  return {enough ? Verdict::ok : Verdict::note, "descriptors", "at most " + limit_text(limit.rlim_max),
          enough ? "" : "fewer than `connections` and programs may need: raise `ulimit -Hn`"};
}

Finding examine_address_space() {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return {Verdict::ok, "address space", "unlimited", ""};
  return {Verdict::problem, "address space", limit_text(limit.rlim_cur),
          "every sandbox reserves 4 GiB of addresses: `ulimit -v unlimited`"};
}

Finding examine_mappings() {
  const auto count = number_in("/proc/sys/vm/max_map_count");
  if (!count) return {Verdict::note, "vm.max_map_count", "unknown", ""};
  return {*count >= sandbox::kernel_mappings_usual ? Verdict::ok : Verdict::note, "vm.max_map_count",
          fmt::format("{}", *count),
          fmt::format("a loaded program takes {} mappings, a sandbox from 10 to some hundred: at most {} "
                      "programs a worker",
                      sandbox::program_mappings,
                      sandbox::mappings_for_sandboxes(static_cast<std::uint32_t>(*count)) /
                          sandbox::program_mappings)};
}

Finding examine_overcommit() {
  const auto mode = number_in("/proc/sys/vm/overcommit_memory");
  if (mode != 2)
    return {Verdict::ok, "vm.overcommit_memory", mode ? fmt::format("{}", *mode) : "unknown", ""};
  return {Verdict::note, "vm.overcommit_memory", "2 (strict)",
          "memory that guests may grow into is counted as used: expect `capacity` early, or set it to 0"};
}

Finding examine_cgroup() {
  if (!first_line("/sys/fs/cgroup/cgroup.controllers")) {
    return {Verdict::note, "cgroup v2", "no", "CPU quotas are not seen when workers are counted"};
  }
  const std::string cpu = first_line("/sys/fs/cgroup/cpu.max").value_or("not set");
  const std::string memory = first_line("/sys/fs/cgroup/memory.max").value_or("not set");
  return {Verdict::ok, "cgroup v2", fmt::format("cpu.max {}, memory.max {}", cpu, memory), ""};
}

Finding examine_seccomp() {
  const bool there = first_line("/proc/sys/kernel/seccomp/actions_avail").has_value();
  return {there ? Verdict::ok : Verdict::note, "seccomp", there ? "yes" : "no",
          there ? "" : "workers cannot be filtered"};
}

Finding examine_landlock() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version > 0) return {Verdict::ok, "Landlock", fmt::format("version {}", version), ""};
  return {Verdict::note, "Landlock", "no", "directories are confined by openat2 alone"};
}

// What a page's first write in a sandbox costs is a fault and this.
Finding examine_mprotect() {
  constexpr int rounds = 2000;
  constexpr std::size_t pages = 64;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const memory = mmap(nullptr, pages * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {Verdict::problem, "mprotect", "no memory", ""};
  char* const middle = static_cast<char*>(memory) + pages / 2 * page;
  const auto begin = std::chrono::steady_clock::now();
  bool worked = true;
  for (int i = 0; i < rounds; ++i) {
    worked = worked && mprotect(middle, page, PROT_READ | PROT_WRITE) == 0 &&
             mprotect(middle, page, PROT_READ) == 0;
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  munmap(memory, pages * page);
  if (!worked) return {Verdict::problem, "mprotect", "refused", "sandboxes cannot work"};
  const double each_us = took.count() / (2 * rounds);
  constexpr double slow_us = 5;
  return {each_us < slow_us ? Verdict::ok : Verdict::note, "mprotect",
          fmt::format("{:.2f} us a call", each_us),
          each_us < slow_us ? "" : "slow, as under gVisor: the first requests of each sandbox will be, too"};
}

}  // namespace

std::vector<Finding> examine_kernel() {
  return {examine_calls(),         examine_cpus(),
          examine_reuseport(),     examine_ipv6(),
          examine_user(),          examine_descriptors(),
          examine_address_space(), examine_mappings(),
          examine_overcommit(),    examine_cgroup(),
          examine_seccomp(),       examine_landlock(),
          examine_mprotect(),      {Verdict::ok, "not needed", "userfaultfd, pagemap, KVM", ""}};
}

}  // namespace tollgate::cli
