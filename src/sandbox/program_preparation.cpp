#include "sandbox/program_preparation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sandbox/bundle_file.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::array<std::uint8_t, 4> elf_magic{0x7f, 'E', 'L', 'F'};  // how compiled code begins
constexpr std::uint64_t precompiled_bytes_max = 8ull << 30;            // holes included

std::string system_sentence(const char* what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

struct OpenedFile {
  UniqueFd file;
  std::uint64_t bytes = 0;
};

expected<OpenedFile, std::string> open_regular(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return unexpected(system_sentence("cannot be opened"));
  if (!S_ISREG(status.st_mode)) return unexpected(std::string("is not a file"));
  return OpenedFile{std::move(file), static_cast<std::uint64_t>(status.st_size)};
}

bool is_compiled_code(int file) {
  std::array<std::uint8_t, elf_magic.size()> start{};
  return ::pread(file, start.data(), start.size(), 0) == static_cast<ssize_t>(start.size()) &&
         start == elf_magic;
}

expected<std::vector<std::uint8_t>, std::string> read_module(const OpenedFile& opened) {
  if (opened.bytes > module_bytes_max) {
    return unexpected(fmt::format("has {} bytes, more than the limit of {}", opened.bytes, module_bytes_max));
  }
  std::vector<std::uint8_t> bytes(opened.bytes);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(opened.file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unexpected(system_sentence("cannot be read"));
    if (count == 0) break;  // it shrank: compile what there is
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::string name_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

expected<BundleFds, std::string> another(const BundleFds& bundle) {
  BundleFds copy{bundle.manifest, UniqueFd(::fcntl(bundle.code.get(), F_DUPFD_CLOEXEC, 3)), UniqueFd()};
  if (bundle.image) copy.image.reset(::fcntl(bundle.image.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy.code || static_cast<bool>(copy.image) != static_cast<bool>(bundle.image)) {
    return unexpected(system_sentence("its descriptors cannot be duplicated"));
  }
  return copy;
}

expected<BundleFds, std::string> within(expected<BundleFds, std::string> bundle,
                                        std::uint64_t memory_bytes_max) {
  if (!bundle) return bundle;
  const std::uint64_t bytes = bundle->manifest.memory_pages_min * wasm_page_bytes;
  if (bytes <= memory_bytes_max) return bundle;
  return unexpected(
      fmt::format("starts with {} bytes of memory, more than the limit of {}", bytes, memory_bytes_max));
}

}  // namespace

ProgramPreparation::ProgramPreparation(ProgramStore* store, std::string engine, PreparationOptions options)
    : store_(store),
      engine_(std::move(engine)),
      options_(std::move(options)),
      ready_(::epoll_create1(EPOLL_CLOEXEC)) {}

ProgramPreparation::~ProgramPreparation() = default;

void ProgramPreparation::add(std::string path, std::uint64_t memory_bytes_max) {
  results_.push_back({std::move(path), unexpected(std::string("is not prepared yet")),
                      PreparedProgram::Origin::compiled, ""});
  memory_bytes_max_.push_back(memory_bytes_max);
}

// Settles a path at once when no compiler is needed; else leaves a job.
void ProgramPreparation::look_up(std::size_t index) {
  PreparedProgram& result = results_[index];
  auto opened = open_regular(result.path);
  if (!opened) {
    result.bundle = unexpected(opened.error());
    return;
  }
  if (is_compiled_code(opened->file.get())) {
    result.origin = PreparedProgram::Origin::file;
    result.bundle = within(open_precompiled(opened->file.get()), memory_bytes_max_[index]);
    return;
  }
  auto module = read_module(*opened);
  if (!module) {
    result.bundle = unexpected(module.error());
    return;
  }
  const ProgramKey key{sha256_hex(*module), engine_};
  if (auto found = store_ != nullptr ? store_->find(key) : std::nullopt) {
    result.origin = PreparedProgram::Origin::cache;
    found->manifest.name = name_of(result.path);
    result.bundle = within(std::move(*found), memory_bytes_max_[index]);
    return;
  }
  const auto same = std::find_if(jobs_.begin(), jobs_.end(), [&key](const Job& job) {
    return job.key.module_digest == key.module_digest;
  });
  Job& job = same != jobs_.end() ? *same : jobs_.emplace_back();
  job.wanted_by.push_back(index);
  job.memory_bytes_max = std::max(job.memory_bytes_max, memory_bytes_max_[index]);
  if (same != jobs_.end()) return;
  job.key = key;
  job.module = std::move(*module);
  job.name = name_of(result.path);
}

expected<BundleFds, std::string> ProgramPreparation::open_precompiled(int file) const {
  if (options_.precompiled == Precompiled::refused) {
    return unexpected(
        std::string("is compiled code and not a WebAssembly module: code from elsewhere needs "
                    "--trust-precompiled"));
  }
  // Into memory of ours: its owner may change the file later, and the engine reads it as long as it is
  // loaded.
  UniqueFd copy(::memfd_create("tollgate program", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  struct stat status{};
  if (!copy || ::fstat(file, &status) != 0) return unexpected(system_sentence("cannot be copied"));
  if (static_cast<std::uint64_t>(status.st_size) > precompiled_bytes_max) {
    return unexpected(
        fmt::format("has {} bytes, more than the limit of {}", status.st_size, precompiled_bytes_max));
  }
  for (off_t at = 0; at < status.st_size;) {
    const ssize_t count = ::sendfile(copy.get(), file, &at, static_cast<std::size_t>(status.st_size - at));
    if (count < 0) return unexpected(system_sentence("cannot be copied"));
    if (count == 0) break;
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return unexpected(system_sentence("cannot be sealed"));
  }
  auto bundle = open_bundle(std::move(copy));
  if (!bundle || bundle->manifest.engine == engine_) return bundle;
  return unexpected(
      fmt::format("was compiled by {}, and this is {}: compile it again", bundle->manifest.engine, engine_));
}

void ProgramPreparation::start_children() {
  auto running = static_cast<std::size_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.compilation.has_value(); }));
  for (auto job = jobs_.begin(); job != jobs_.end() && running < options_.children_max;) {
    const auto current = job++;
    if (current->compilation) continue;
    auto started = Compilation::start(current->module, {.name = current->name,
                                                        .memory_bytes_max = current->memory_bytes_max,
                                                        .limits = options_.limits,
                                                        .executable = options_.executable});
    current->module = {};
    if (!started) {
      settle(*current, unexpected(started.error()));
      jobs_.erase(current);
      continue;
    }
    current->compilation.emplace(std::move(*started));
    epoll_event event{};
    event.events = EPOLLIN;
    (void)::epoll_ctl(ready_.get(), EPOLL_CTL_ADD, current->compilation->pollable(), &event);
    ++running;
  }
}

void ProgramPreparation::settle(Job& job, expected<BundleFds, CompileError> outcome) {
  std::string warning;
  if (outcome && store_ != nullptr) {
    if (auto kept = store_->keep(job.key, *outcome)) {
      outcome = std::move(*kept);
    } else {
      warning = kept.error();
    }
  }
  for (const std::size_t index : job.wanted_by) {
    PreparedProgram& result = results_[index];
    result.warning = warning;
    if (!outcome) {
      result.bundle = unexpected(outcome.error().sentence);
      continue;
    }
    result.bundle = within(another(*outcome), memory_bytes_max_[index]);
    if (result.bundle) result.bundle->manifest.name = name_of(result.path);
  }
}

bool ProgramPreparation::advance() {
  if (!looked_up_) {
    looked_up_ = true;
    for (std::size_t index = 0; index < results_.size(); ++index) look_up(index);
  }
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const auto current = job++;
    if (!current->compilation) continue;
    auto outcome = current->compilation->poll();
    if (!outcome) continue;
    settle(*current, std::move(*outcome));
    jobs_.erase(current);
  }
  start_children();
  return jobs_.empty();
}

bool ProgramPreparation::finish_within(std::chrono::milliseconds time) {
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + time;
  while (!advance()) {
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now());
    if (rest.count() <= 0) return false;
    pollfd ready{ready_.get(), POLLIN, 0};
    (void)::poll(&ready, 1, static_cast<int>(rest.count()));
  }
  return true;
}

void ProgramPreparation::finish() {
  while (!finish_within(std::chrono::hours(1))) {
  }
}

PreparedProgram prepare_program(std::string path, std::uint64_t memory_bytes_max, ProgramStore* store,
                                std::string engine, PreparationOptions options) {
  ProgramPreparation preparation(store, std::move(engine), std::move(options));
  preparation.add(std::move(path), memory_bytes_max);
  preparation.finish();
  return std::move(preparation.take().front());
}

}  // namespace tollgate::sandbox
