#include "sandbox/wasi/descriptors.hpp"

#include <utility>

namespace tollgate::sandbox::wasi {
namespace {

Descriptor stream(Descriptor::Kind kind, Rights base) {
  Descriptor descriptor;
  descriptor.kind = kind;
  descriptor.base = base;
  return descriptor;
}

Descriptor granted(const Directory& grant) {
  Descriptor descriptor;
  descriptor.kind = Descriptor::Kind::directory;
  descriptor.base = rights::read_directory;
  descriptor.inheriting = rights::read_directory | rights::read_file;
  if (grant.writable) {
    descriptor.base |= rights::write_directory;
    descriptor.inheriting |= rights::write_directory | rights::write_file;
  }
  descriptor.host = grant.fd;
  descriptor.preopen = grant.guest_path;
  return descriptor;
}

}  // namespace

Descriptors::Table& Descriptors::table() const {
  if (!table_) {
    table_ = std::make_unique<Table>();
    auto& entries = table_->entries;
    entries.reserve(3 + grants_.size());
    entries.push_back(stream(Descriptor::Kind::input, rights::standard_input));
    entries.push_back(stream(Descriptor::Kind::output, rights::standard_output));
    entries.push_back(stream(Descriptor::Kind::error, rights::standard_output));
    for (const Directory& grant : grants_) entries.push_back(granted(grant));
  }
  return *table_;
}

expected<Descriptor*, Errno> Descriptors::find_for_change(std::uint32_t number, Rights needed) {
  if (!table_ && number >= 3 + grants_.size()) return unexpected(Errno::badf);
  Table& all = table();
  if (number >= all.entries.size()) return unexpected(Errno::badf);
  Descriptor& found = all.entries[number];
  if (found.kind == Descriptor::Kind::closed) return unexpected(Errno::badf);
  if ((found.base & needed) != needed) return unexpected(Errno::notcapable);
  return &found;
}

expected<const Descriptor*, Errno> Descriptors::find(std::uint32_t number, Rights needed) const {
  static const std::array<Descriptor, 3> standard{stream(Descriptor::Kind::input, rights::standard_input),
                                                  stream(Descriptor::Kind::output, rights::standard_output),
                                                  stream(Descriptor::Kind::error, rights::standard_output)};
  if (!table_ && number >= 3 + grants_.size()) return unexpected(Errno::badf);
  const Descriptor* found = nullptr;
  if (!table_ && number < 3) {
    found = &standard[number];
  } else {
    const Table& all = table();
    if (number >= all.entries.size()) return unexpected(Errno::badf);
    found = &all.entries[number];
  }
  if (found->kind == Descriptor::Kind::closed) return unexpected(Errno::badf);
  if ((found->base & needed) != needed) return unexpected(Errno::notcapable);
  return found;
}

expected<std::uint32_t, Errno> Descriptors::insert(Descriptor descriptor) {
  auto& entries = table().entries;
  for (std::uint32_t number = 0; number < entries.size(); ++number) {
    if (entries[number].kind != Descriptor::Kind::closed) continue;
    entries[number] = std::move(descriptor);
    return number;
  }
  if (entries.size() >= descriptors_max) return unexpected(Errno::mfile);
  entries.push_back(std::move(descriptor));
  return static_cast<std::uint32_t>(entries.size() - 1);
}

Errno Descriptors::close(std::uint32_t number) {
  const auto found = find_for_change(number);
  if (!found) return found.error();
  **found = Descriptor{};
  return Errno::success;
}

Errno Descriptors::renumber(std::uint32_t from, std::uint32_t to) {
  const auto source = find_for_change(from);
  if (!source) return source.error();
  const auto target = find_for_change(to);
  if (!target) return target.error();
  if (from == to) return Errno::success;
  **target = std::exchange(**source, Descriptor{});
  return Errno::success;
}

std::span<char> Descriptors::bounce() {
  Table& all = table();
  if (!all.bounce) all.bounce = std::make_unique<std::array<char, file_io_bytes_max>>();
  return *all.bounce;
}

}  // namespace tollgate::sandbox::wasi
