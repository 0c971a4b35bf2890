// Any sequence of preview 1 calls with any arguments over any memory: errnos and ends, no crash, no byte
// outside of the guest's memory. The input is the first bytes of the memory, then calls: a function's index
// and its arguments.
#include <fcntl.h>
#include <stdlib.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "sandbox/wasi/preview1.hpp"
#include "sandbox/whole_body.hpp"

namespace {

using namespace tollgate;
using namespace tollgate::sandbox;

constexpr std::size_t memory_bytes = 64 * 1024;
constexpr std::size_t given_bytes = 256;  // of memory, from the input
constexpr std::size_t guard_bytes = 64;
constexpr std::size_t slots_max = 9;
constexpr int calls_max = 64;

// Something to find beneath a granted directory; read-only, so that runs do not see each other.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "tollgate-fuzz-XXXXXX";
    path_ = mkdtemp(name.data());
    std::filesystem::create_directory(path_ / "d");
    std::ofstream(path_ / "f") << "content";
    std::filesystem::create_symlink("../..", path_ / "l");
    fd_.reset(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  int fd() const { return fd_.get(); }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
};

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  template <class T>
  T take() {
    T value{};
    const std::size_t bytes = std::min(sizeof value, size_);
    std::memcpy(&value, data_, bytes);
    data_ += bytes;
    size_ -= bytes;
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Mostly small numbers, which are descriptors, counts and addresses of what the input put into memory.
std::uint64_t argument(Bytes& input) {
  const auto kind = input.take<std::uint8_t>();
  if (kind < 0xc0) return kind;
  if (kind < 0xe0) return input.take<std::uint16_t>();
  if (kind < 0xf0) return input.take<std::uint32_t>();
  return input.take<std::uint64_t>();
}

struct Nowhere final : Sink {
  State write(std::string_view) override { return State::accepted; }
  void log(std::string_view) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  std::vector<std::uint8_t> memory(memory_bytes + 2 * guard_bytes, 0x5a);
  std::uint8_t* const base = memory.data() + guard_bytes;
  std::memset(base, 0, memory_bytes);
  const std::size_t given = std::min(size, given_bytes);
  if (given != 0) std::memcpy(base, data, given);
  Bytes input(data + given, size - given);

  const std::string_view words[] = {"A=1", "B="};
  const Directory grant{folder.fd(), "/d", false};
  WholeBody body("0123456789");
  Nowhere sink;
  const Input run{
      .body = &body, .args = words, .environment = words, .directories = {&grant, 1}, .limits = {}};
  Preview1 state(run, sink);
  for (int calls = 0; calls < calls_max && !input.empty(); ++calls) {
    const auto functions = preview1_functions();
    const HostFunction& function = functions[input.take<std::uint8_t>() % functions.size()];
    std::array<HostValue, slots_max> arguments{};
    for (std::size_t i = 0; i < function.signature.find(':'); ++i) arguments[i].u64 = argument(input);
    auto said = HostCall::wait;
    for (int turns = 0; said == HostCall::wait && turns < 3; ++turns) {
      std::array<HostValue, slots_max> slots = arguments;
      said = function.call(state, {base, memory_bytes}, slots.data());
    }
    if (said != HostCall::done) break;
  }
  for (std::size_t i = 0; i < guard_bytes; ++i) {
    if (memory[i] != 0x5a || memory[memory.size() - 1 - i] != 0x5a) std::abort();
  }
  return 0;
}
