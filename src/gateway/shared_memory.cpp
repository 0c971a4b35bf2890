#include "gateway/shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace tollgate::gateway {

expected<SharedFile, std::string> SharedFile::create(const char* name, std::size_t bytes) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return unexpected(fmt::format("memfd_create({}): {}", name, strerror(errno)));
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return unexpected(fmt::format("{}: {}", name, strerror(errno)));
  }
  return SharedFile(std::move(fd), bytes);
}

bool SharedFile::clear(std::size_t offset, std::size_t bytes) const {
  return fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(bytes)) == 0;
}

expected<SharedMapping, std::string> SharedMapping::map(int fd, std::size_t bytes, MapAccess access) {
  const int protection = access == MapAccess::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  void* data = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return unexpected(fmt::format("mapping shared memory: {}", strerror(errno)));
  return SharedMapping(data, bytes);
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMapping::~SharedMapping() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

namespace {

void give_back(std::atomic<std::int32_t>& all_workers, const std::atomic<std::int32_t>& share) {
  constexpr std::int32_t plausible_max = 1 << 20;
  const std::int32_t held = share.load(std::memory_order_acquire);
  if (held > 0 && held <= plausible_max) all_workers.fetch_sub(held, std::memory_order_acq_rel);
}

}  // namespace

std::optional<std::uint32_t> settle_after_death(SharedCounts& counts, const WorkerMark& mark) {
  for (std::uint32_t slot = 0; slot < route_slots_max; ++slot) {
    give_back(counts.routes[slot].all_workers.running, mark.shares[slot].running);
    give_back(counts.routes[slot].all_workers.queued, mark.shares[slot].queued);
  }
  const std::uint32_t entered = mark.entered_route.load(std::memory_order_acquire);
  if (entered == WorkerMark::no_route || entered > route_slots_max) return std::nullopt;
  return entered - 1;
}

}  // namespace tollgate::gateway
