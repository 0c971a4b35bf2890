#include "sandbox/compiler.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "sandbox/bundle_file.hpp"
#include "sandbox/compiler_child.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::size_t report_bytes_max = 2048;
constexpr std::string_view more_time_advice =
    "(`tollgate compile` takes --max-time and --max-cpu; its file is served with --trust-precompiled)";
constexpr unsigned compiler_threads_max = 4;  // each has an arena of address space of its own

CompileError system_error(std::string_view what) {
  return {CompileError::Reason::system,
          fmt::format("cannot be compiled: {}: {}", what, std::strerror(errno))};
}

expected<UniqueFd, CompileError> memory_file(const char* name) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return unexpected(system_error("memfd_create"));
  return file;
}

bool write_whole(int file, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

expected<pid_t, CompileError> spawn(const CompileOptions& options, int module, int container, int report) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, module, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, container, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, report, STDERR_FILENO);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: a Ctrl-C at the terminal is for us to handle.
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::array<std::string, 8> arguments{"tollgate",
                                       compile_module_command,
                                       options.name,
                                       std::to_string(options.memory_bytes_max),
                                       std::to_string(options.limits.cpu.count()),
                                       std::to_string(options.limits.address_space_bytes),
                                       std::to_string(options.limits.output_bytes),
                                       std::to_string(::getpid())};
  std::array<char*, 9> argv{};
  std::transform(arguments.begin(), arguments.end(), argv.begin(),
                 [](std::string& text) { return text.data(); });
  std::array<std::string, 2> variables{
      fmt::format("RAYON_NUM_THREADS={}", std::min<std::size_t>(compiler_threads_max, compilations_max())),
      fmt::format("MALLOC_ARENA_MAX={}", compiler_threads_max)};
  std::array<char*, 3> environment{variables[0].data(), variables[1].data(), nullptr};

  pid_t child = -1;
  const int failure = ::posix_spawn(&child, options.executable.c_str(), &actions, &attributes, argv.data(),
                                    environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    errno = failure;
    return unexpected(system_error(
        fmt::format("starting {}{}", options.executable, failure == ENOENT ? " (is /proc mounted?)" : "")));
  }
  return child;
}

bool watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

UniqueFd timer_after(std::chrono::milliseconds delay) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  itimerspec spec{};
  spec.it_value.tv_sec = delay.count() / 1000;
  spec.it_value.tv_nsec = delay.count() % 1000 * 1'000'000 + 1;  // zero would disarm it
  if (timer) ::timerfd_settime(timer.get(), 0, &spec, nullptr);
  return timer;
}

std::string read_report(int file) {
  std::string text(report_bytes_max, '\0');
  const ssize_t count = ::pread(file, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

std::string first_line(const std::string& text) {
  const auto begin = std::min(text.find_first_not_of('\n'), text.size());
  return text.substr(begin, text.find('\n', begin) - begin);
}

// What Rust and C++ say before they abort for want of memory: the allocator, or a thread that gets no stack.
bool tells_of_no_memory(std::string_view report) {
  constexpr std::array<std::string_view, 4> phrases{"memory allocation of", "Cannot allocate memory",
                                                    "Resource temporarily unavailable", "bad_alloc"};
  return std::any_of(phrases.begin(), phrases.end(), [report](std::string_view phrase) {
    return report.find(phrase) != std::string_view::npos;
  });
}

}  // namespace

std::size_t compilations_max() {
  return std::max(1u, std::thread::hardware_concurrency());
}

expected<Compilation, CompileError> Compilation::start(std::span<const std::uint8_t> module,
                                                       const CompileOptions& options) {
  if (module.size() > module_bytes_max) {
    return unexpected(CompileError{
        CompileError::Reason::refused,
        fmt::format("has {} bytes, more than the limit of {}", module.size(), module_bytes_max)});
  }
  Compilation self;
  self.limits_ = options.limits;
  self.module_digest_ = sha256_hex(module);
  auto input = memory_file("tollgate module");
  auto container = memory_file("tollgate program");
  auto report = memory_file("tollgate compiler report");
  if (!input) return unexpected(input.error());
  if (!container) return unexpected(container.error());
  if (!report) return unexpected(report.error());
  if (!write_whole(input->get(), module)) return unexpected(system_error("copying the module"));
  self.container_ = std::move(*container);
  self.report_ = std::move(*report);

  const auto child = spawn(options, input->get(), self.container_.get(), self.report_.get());
  if (!child) return unexpected(child.error());
  self.child_ = *child;
  self.deadline_ = std::chrono::steady_clock::now() + options.limits.wall;
  self.process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, self.child_, 0)));
  self.timer_ = timer_after(options.limits.wall);
  self.ready_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!self.process_ || !self.timer_ || !self.ready_ || !watch(self.ready_.get(), self.process_.get()) ||
      !watch(self.ready_.get(), self.timer_.get())) {
    return unexpected(system_error("watching the compiler"));
  }
  return self;
}

Compilation::Compilation(Compilation&& other) noexcept
    : limits_(other.limits_),
      module_digest_(std::move(other.module_digest_)),
      deadline_(other.deadline_),
      child_(std::exchange(other.child_, -1)),
      process_(std::move(other.process_)),
      timer_(std::move(other.timer_)),
      ready_(std::move(other.ready_)),
      container_(std::move(other.container_)),
      report_(std::move(other.report_)),
      killed_for_time_(other.killed_for_time_) {}

Compilation::~Compilation() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<expected<BundleFds, CompileError>> Compilation::poll() {
  if (!killed_for_time_ && std::chrono::steady_clock::now() >= deadline_) {
    killed_for_time_ = true;
    ::kill(child_, SIGKILL);
    timer_.reset();  // or `ready` stays readable until the child is gone
  }
  siginfo_t status{};
  const int waited = ::waitid(P_PID, static_cast<id_t>(child_), &status, WEXITED | WNOHANG);
  if (waited == 0 && status.si_pid == 0) return std::nullopt;
  child_ = -1;
  if (waited < 0) return unexpected(system_error("waiting for the compiler"));
  return result(status);
}

expected<BundleFds, CompileError> Compilation::wait() {
  for (;;) {
    if (auto done = poll()) return std::move(*done);
    pollfd ready{ready_.get(), POLLIN, 0};
    (void)::poll(&ready, 1, -1);
  }
}

expected<BundleFds, CompileError> Compilation::result(const siginfo_t& status) {
  if (status.si_code != CLD_EXITED || status.si_status != 0) {
    return unexpected(death(status, read_report(report_.get())));
  }
  // Whoever may still hold the file can no longer change it.
  if (::fcntl(container_.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return unexpected(system_error("sealing the compiled code"));
  }
  auto bundle = open_bundle(std::move(container_));
  if (!bundle || bundle->manifest.module_digest != module_digest_) {
    return unexpected(CompileError{CompileError::Reason::system, "the compiler's answer is damaged"});
  }
  return std::move(*bundle);
}

CompileError Compilation::death(const siginfo_t& status, const std::string& report) const {
  using Reason = CompileError::Reason;
  const int code = status.si_status;
  if (killed_for_time_) {
    return {Reason::wall, fmt::format("takes too long to compile: the limit is {} ms {}",
                                      limits_.wall.count(), more_time_advice)};
  }
  if ((status.si_code == CLD_EXITED && code == compile_exit_output) ||
      (status.si_code != CLD_EXITED && code == SIGXFSZ)) {
    return {Reason::output, fmt::format("compiles to more than the limit of {} bytes", limits_.output_bytes)};
  }
  if (status.si_code == CLD_EXITED && code == compile_exit_refused) return {Reason::refused, report};
  if (status.si_code == CLD_EXITED) {
    return {Reason::system, report.empty() ? fmt::format("the compiler ended with code {}", code) : report};
  }
  if (code == SIGXCPU) {
    return {Reason::cpu, fmt::format("takes too long to compile: the limit is {} s of CPU time {}",
                                     limits_.cpu.count(), more_time_advice)};
  }
  if (code == SIGABRT && tells_of_no_memory(report)) {
    return {Reason::memory,
            fmt::format("takes too much memory to compile: the limit is {} bytes of address space",
                        limits_.address_space_bytes)};
  }
  return {Reason::crashed, fmt::format("crashes the compiler (signal {}) {}", code, first_line(report))};
}

expected<BundleFds, CompileError> compile(std::span<const std::uint8_t> module,
                                          const CompileOptions& options) {
  auto compilation = Compilation::start(module, options);
  if (!compilation) return unexpected(compilation.error());
  return compilation->wait();
}

}  // namespace tollgate::sandbox
