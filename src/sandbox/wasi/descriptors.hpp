// A run's descriptor table: standard streams 0-2, the granted directories from 3 on, then what the guest
// opens.
//
// Most runs never open anything: until one does, there is no table and nothing is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "sandbox/program.hpp"
#include "sandbox/wasi/errno.hpp"
#include "sandbox/wasi/layout.hpp"
#include "sandbox/wasi/limits.hpp"

namespace tollgate::sandbox::wasi {

struct Descriptor {
  enum class Kind : std::uint8_t { closed, input, output, error, file, directory };

  Kind kind = Kind::closed;
  std::uint16_t flags = 0;  // $fdflags as the guest set them
  Rights base = 0;
  Rights inheriting = 0;
  int host = -1;  // file or directory: what to work on; owned by `owned` or by the grant
  UniqueFd owned;
  std::string_view preopen;  // a granted directory's guest path; empty for everything else

  bool is_stream() const { return kind == Kind::input || kind == Kind::output || kind == Kind::error; }
};

class Descriptors {
 public:
  explicit Descriptors(std::span<const Directory> grants) : grants_(grants) {}

  // The open descriptor of that number that has all of `needed`, else `badf` or `notcapable`. Valid until the
  // next call that changes the table.
  expected<const Descriptor*, Errno> find(std::uint32_t number, Rights needed = 0) const;
  expected<Descriptor*, Errno> find_for_change(std::uint32_t number, Rights needed = 0);

  // What kind of stream a number is; the fast path of read and write.
  Descriptor::Kind kind(std::uint32_t number) const {
    if (!table_ && number < 3) return standard_kinds[number];
    const auto found = find(number);
    return found ? (*found)->kind : Descriptor::Kind::closed;
  }

  // The lowest free number, or `mfile`.
  expected<std::uint32_t, Errno> insert(Descriptor descriptor);
  Errno close(std::uint32_t number);
  Errno renumber(std::uint32_t from, std::uint32_t to);

  // Bytes between the guest's memory and the kernel, which must not be handed guest addresses.
  std::span<char> bounce();

 private:
  static constexpr std::array<Descriptor::Kind, 3> standard_kinds{
      Descriptor::Kind::input, Descriptor::Kind::output, Descriptor::Kind::error};

  struct Table {
    std::vector<Descriptor> entries;
    std::unique_ptr<std::array<char, file_io_bytes_max>> bounce;
  };
  Table& table() const;

  std::span<const Directory> grants_;
  mutable std::unique_ptr<Table> table_;  // made when a number is asked for that only it can answer
};

}  // namespace tollgate::sandbox::wasi
