#include "sandbox/wasi/filestat.hpp"

namespace tollgate::sandbox::wasi {
namespace {

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

std::uint64_t nanoseconds(const timespec& time) {
  if (time.tv_sec < 0) return 0;  // before 1970: a $timestamp cannot say
  return static_cast<std::uint64_t>(time.tv_sec) * nanoseconds_per_second +
         static_cast<std::uint64_t>(time.tv_nsec);
}

Errno to_time(std::uint64_t value, bool set, bool now, timespec& time) {
  if (set && now) return Errno::inval;
  time.tv_sec = static_cast<time_t>(value / nanoseconds_per_second);
  time.tv_nsec = static_cast<long>(value % nanoseconds_per_second);
  if (now) time.tv_nsec = UTIME_NOW;
  if (!set && !now) time.tv_nsec = UTIME_OMIT;
  return Errno::success;
}

}  // namespace

FileType file_type(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular_file;
  if (S_ISDIR(mode)) return FileType::directory;
  if (S_ISLNK(mode)) return FileType::symbolic_link;
  if (S_ISCHR(mode)) return FileType::character_device;
  if (S_ISBLK(mode)) return FileType::block_device;
  if (S_ISSOCK(mode)) return FileType::socket_stream;
  return FileType::unknown;
}

Errno store_filestat(GuestMemory memory, std::uint32_t address, const struct stat& status) {
  const auto to = memory.range(address, filestat_layout::size);
  if (!to) return Errno::fault;
  std::memset(to->data(), 0, to->size());
  const auto put = [&to](std::uint32_t offset, std::uint64_t value) {
    std::memcpy(to->data() + offset, &value, sizeof value);
  };
  put(filestat_layout::device, status.st_dev);
  put(filestat_layout::inode, status.st_ino);
  (*to)[filestat_layout::filetype] = static_cast<std::uint8_t>(file_type(status.st_mode));
  put(filestat_layout::links, status.st_nlink);
  put(filestat_layout::bytes, static_cast<std::uint64_t>(status.st_size));
  put(filestat_layout::accessed, nanoseconds(status.st_atim));
  put(filestat_layout::modified, nanoseconds(status.st_mtim));
  put(filestat_layout::changed, nanoseconds(status.st_ctim));
  return Errno::success;
}

Errno to_times(std::uint64_t accessed, std::uint64_t modified, std::uint32_t flags, timespec (&times)[2]) {
  if ((flags & ~std::uint32_t{fstflags::all}) != 0) return Errno::inval;
  const Errno error =
      to_time(accessed, (flags & fstflags::atim) != 0, (flags & fstflags::atim_now) != 0, times[0]);
  if (error != Errno::success) return error;
  return to_time(modified, (flags & fstflags::mtim) != 0, (flags & fstflags::mtim_now) != 0, times[1]);
}

}  // namespace tollgate::sandbox::wasi
