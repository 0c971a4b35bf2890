// Granted directories: what a guest may do beneath them, and that nothing leads out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "sandbox/wasi/testing.hpp"

namespace tollgate::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::FakeGuest;
using wasi::Errno;
namespace rights = wasi::rights;

constexpr std::uint32_t path_at = 1024;
constexpr std::uint32_t other_path_at = 8192;
constexpr std::uint32_t result = 512;
constexpr std::uint32_t buffer = 16384;
constexpr std::uint64_t preopen = 3;
constexpr std::uint64_t follow = 1;

class Directories : public ::testing::Test {
 public:
  Directories() {
    std::string name = fs::temp_directory_path() / "tollgate-dirs-XXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directories(root_ / "granted" / "sub");
    write(root_ / "secret", "outside");
    write(root_ / "granted" / "file", "inside");
    fs::create_symlink("file", root_ / "granted" / "link_in");
    fs::create_symlink("../secret", root_ / "granted" / "link_out");
    fs::create_symlink(root_ / "secret", root_ / "granted" / "link_absolute");
    fs::create_symlink("/proc/self/root", root_ / "granted" / "link_proc");
    fs::create_symlink("..", root_ / "granted" / "link_up");
    mkfifo((root_ / "granted" / "fifo").c_str(), 0600);
    fd_.reset(::open((root_ / "granted").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    grant_ = {fd_.get(), "/data", false};
  }
  ~Directories() override { fs::remove_all(root_); }

 protected:
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  FakeGuest make(bool writable) {
    grant_.writable = writable;
    Input input;
    input.directories = {&grant_, 1};
    return FakeGuest(input);
  }
  static Errno open(FakeGuest& guest, const std::string& path, std::uint64_t oflags = 0,
                    std::uint64_t wanted = rights::fd_read, std::uint64_t lookup = follow) {
    guest.put(path_at, path);
    return guest.errno_of(
        "path_open", {preopen, lookup, path_at, path.size(), oflags, wanted, ~std::uint64_t{0}, 0, result});
  }
  static std::string read_all(FakeGuest& guest, std::uint32_t fd) {
    guest.put(64, buffer);
    guest.put(68, std::uint32_t{1000});
    EXPECT_EQ(guest.errno_of("fd_read", {fd, 64, 1, 80}), Errno::success);
    return guest.text(buffer, guest.u32(80));
  }

  fs::path root_;
  UniqueFd fd_;
  Directory grant_;
};

TEST_F(Directories, are_announced_under_their_guest_path) {
  FakeGuest guest = make(false);
  EXPECT_EQ(guest.errno_of("fd_prestat_get", {preopen, result}), Errno::success);
  EXPECT_EQ(guest.u32(result + 4), 5u);
  EXPECT_EQ(guest.errno_of("fd_prestat_dir_name", {preopen, buffer, 5}), Errno::success);
  EXPECT_EQ(guest.text(buffer, 5), "/data");
  EXPECT_EQ(guest.errno_of("fd_prestat_get", {preopen + 1, result}), Errno::badf);
}

TEST_F(Directories, let_files_be_read_also_by_links_that_stay_inside) {
  FakeGuest guest = make(false);
  for (const std::string path : {"file", "./file", "sub/../file", "link_in", "sub//../file"}) {
    ASSERT_EQ(open(guest, path), Errno::success) << path;
    EXPECT_EQ(read_all(guest, guest.u32(result)), "inside") << path;
    EXPECT_EQ(guest.errno_of("fd_close", {guest.u32(result)}), Errno::success);
  }
}

TEST_F(Directories, never_lead_out) {
  FakeGuest guest = make(true);
  const std::string absolute = root_ / "secret";
  for (const std::string& path :
       {std::string(".."), std::string("../secret"), std::string("sub/../../secret"), absolute,
        std::string("/"), std::string("/etc/passwd"), std::string("link_out"), std::string("link_absolute"),
        std::string("link_up/secret"), std::string("link_proc/etc/passwd"),
        std::string("sub/../link_up/secret"), std::string("./../secret")}) {
    EXPECT_NE(open(guest, path), Errno::success) << path;
    EXPECT_NE(open(guest, path, wasi::oflags::creat, rights::fd_write), Errno::success) << path;
    for (const char* function : {"path_create_directory", "path_remove_directory", "path_unlink_file"}) {
      EXPECT_TRUE(path.starts_with("link_") && path.find('/') == std::string::npos
                      ? true  // acts on the link itself
                      : guest.errno_of(function, {preopen, path_at, path.size()}) != Errno::success)
          << function << " " << path;
    }
    guest.put(other_path_at, std::string_view("new"));
    if (path.find('/') != std::string::npos) {
      EXPECT_NE(guest.errno_of("path_rename", {preopen, path_at, path.size(), preopen, other_path_at, 3}),
                Errno::success);
      EXPECT_NE(guest.errno_of("path_link", {preopen, 0, path_at, path.size(), preopen, other_path_at, 3}),
                Errno::success);
      EXPECT_NE(guest.errno_of("path_symlink", {other_path_at, 3, preopen, path_at, path.size()}),
                Errno::success);
    }
    EXPECT_NE(guest.errno_of("path_filestat_get", {preopen, follow, path_at, path.size(), buffer}),
              Errno::success)
        << path;
  }
  EXPECT_EQ(read(root_ / "secret"), "outside");
}

TEST_F(Directories, do_not_lead_out_while_others_rename) {
  FakeGuest guest = make(false);
  fs::create_directories(root_ / "granted" / "a" / "b");
  std::atomic<bool> stop{false};
  std::thread renames([&] {
    const fs::path here = root_ / "granted" / "a";
    const fs::path outside = root_ / "a";
    while (!stop) {
      std::error_code ignored;
      fs::rename(here, outside, ignored);
      fs::rename(outside, here, ignored);
    }
  });
  for (int i = 0; i < 3000; ++i) EXPECT_NE(open(guest, "a/b/../../../secret"), Errno::success);
  for (int i = 0; i < 3000; ++i) EXPECT_NE(open(guest, "a/../../secret"), Errno::success);
  stop = true;
  renames.join();
}

TEST_F(Directories, hold_only_files_and_directories) {
  FakeGuest guest = make(true);
  EXPECT_EQ(open(guest, "fifo"), Errno::notcapable);
  EXPECT_EQ(open(guest, "fifo", 0, rights::fd_read | rights::fd_write), Errno::notcapable);
  EXPECT_EQ(open(guest, "sub"), Errno::success);
  EXPECT_EQ(open(guest, "file", wasi::oflags::directory), Errno::notdir);
  EXPECT_EQ(open(guest, "file/"), Errno::notdir);
}

TEST_F(Directories, refuse_paths_that_are_none) {
  FakeGuest guest = make(false);
  EXPECT_EQ(open(guest, std::string("fi\0le", 5)), Errno::inval);
  EXPECT_EQ(open(guest, ""), Errno::noent);
  EXPECT_EQ(open(guest, std::string(5000, 'a')), Errno::nametoolong);
  EXPECT_EQ(open(guest, std::string(300, 'a')), Errno::nametoolong);
  EXPECT_EQ(open(guest, "link_in", 0, rights::fd_read, 0), Errno::loop);
}

TEST_F(Directories, without_write_change_nothing) {
  FakeGuest guest = make(false);
  EXPECT_EQ(open(guest, "new", wasi::oflags::creat), Errno::rofs);
  EXPECT_EQ(open(guest, "file", wasi::oflags::trunc), Errno::rofs);
  EXPECT_EQ(open(guest, "file", 0, rights::fd_write), Errno::rofs);
  guest.put(path_at, std::string_view("file"));
  guest.put(other_path_at, std::string_view("new"));
  EXPECT_EQ(guest.errno_of("path_unlink_file", {preopen, path_at, 4}), Errno::rofs);
  EXPECT_EQ(guest.errno_of("path_create_directory", {preopen, other_path_at, 3}), Errno::rofs);
  EXPECT_EQ(guest.errno_of("path_rename", {preopen, path_at, 4, preopen, other_path_at, 3}), Errno::rofs);
  EXPECT_EQ(guest.errno_of("path_link", {preopen, 0, path_at, 4, preopen, other_path_at, 3}), Errno::rofs);
  EXPECT_EQ(guest.errno_of("path_symlink", {path_at, 4, preopen, other_path_at, 3}), Errno::rofs);
  EXPECT_EQ(guest.errno_of("path_filestat_set_times", {preopen, 0, path_at, 4, 0, 0, 5}), Errno::rofs);
  ASSERT_EQ(open(guest, "file"), Errno::success);
  guest.put(64, buffer);
  guest.put(68, std::uint32_t{1});
  EXPECT_EQ(guest.errno_of("fd_write", {guest.u32(result), 64, 1, 80}), Errno::notcapable);
  EXPECT_EQ(guest.errno_of("fd_filestat_set_size", {guest.u32(result), 0}), Errno::notcapable);
  EXPECT_EQ(read(root_ / "granted" / "file"), "inside");
}

TEST_F(Directories, with_write_take_files_names_and_times) {
  FakeGuest guest = make(true);
  ASSERT_EQ(
      open(guest, "new", wasi::oflags::creat | wasi::oflags::excl, rights::write_file | rights::read_file),
      Errno::success);
  const std::uint32_t fd = guest.u32(result);
  guest.put(buffer, std::string_view("hello"));
  guest.put(64, buffer);
  guest.put(68, std::uint32_t{5});
  EXPECT_EQ(guest.errno_of("fd_write", {fd, 64, 1, 80}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_pwrite", {fd, 64, 1, 10, 80}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_seek", {fd, 1, 0, result}), Errno::success);
  EXPECT_EQ(read_all(guest, fd), std::string("ello\0\0\0\0\0hello", 14));
  EXPECT_EQ(guest.errno_of("fd_tell", {fd, result}), Errno::success);
  EXPECT_EQ(guest.u64(result), 15u);
  EXPECT_EQ(guest.errno_of("fd_filestat_set_size", {fd, 5}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_filestat_set_size", {fd, std::uint64_t{1} << 40}), Errno::fbig);
  EXPECT_EQ(guest.errno_of("fd_pwrite", {fd, 64, 1, std::uint64_t{1} << 40, 80}), Errno::fbig);
  EXPECT_EQ(guest.errno_of("fd_sync", {fd}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_filestat_set_times", {fd, 1'000'000'000, 2'000'000'000, 5}), Errno::success);
  EXPECT_EQ(guest.errno_of("fd_filestat_get", {fd, buffer}), Errno::success);
  EXPECT_EQ(guest.u64(buffer + 32), 5u);
  EXPECT_EQ(guest.u64(buffer + 48), 2'000'000'000u);
  guest.put(path_at, std::string_view("new"));
  guest.put(other_path_at, std::string_view("sub/made"));
  EXPECT_EQ(guest.errno_of("path_rename", {preopen, path_at, 3, preopen, other_path_at, 8}), Errno::success);
  EXPECT_EQ(read(root_ / "granted" / "sub" / "made"), "hello");
  EXPECT_EQ(guest.errno_of("path_unlink_file", {preopen, other_path_at, 8}), Errno::success);
  EXPECT_FALSE(fs::exists(root_ / "granted" / "sub" / "made"));
}

TEST_F(Directories, list_their_entries_in_as_many_calls_as_it_takes) {
  for (int i = 0; i < 100; ++i) write(root_ / "granted" / "sub" / ("entry" + std::to_string(i)), "");
  FakeGuest guest = make(false);
  ASSERT_EQ(open(guest, "sub", wasi::oflags::directory, rights::fd_readdir), Errno::success);
  const std::uint32_t fd = guest.u32(result);
  std::uint64_t cookie = 0;
  int entries = 0;
  for (;;) {
    constexpr std::uint32_t room = 256;
    ASSERT_EQ(guest.errno_of("fd_readdir", {fd, buffer, room, cookie, 80}), Errno::success);
    const std::uint32_t used = guest.u32(80);
    std::uint32_t at = 0;
    while (at + 24 <= used && at + 24 + guest.u32(buffer + at + 16) <= used) {
      cookie = guest.u64(buffer + at);
      const std::uint32_t name_bytes = guest.u32(buffer + at + 16);
      entries += guest.text(buffer + at + 24, name_bytes).starts_with("entry") ? 1 : 0;
      at += 24 + name_bytes;
    }
    if (used < room) break;
  }
  EXPECT_EQ(entries, 100);
}

TEST_F(Directories, pass_on_no_more_rights_than_asked_for_and_had) {
  FakeGuest guest = make(false);
  ASSERT_EQ(open(guest, "file", 0, ~std::uint64_t{0} & ~rights::fd_write), Errno::success);
  const std::uint32_t fd = guest.u32(result);
  EXPECT_EQ(guest.errno_of("fd_fdstat_get", {fd, buffer}), Errno::success);
  EXPECT_EQ(guest.u64(buffer + 8), rights::read_file);
  EXPECT_EQ(guest.errno_of("fd_fdstat_set_rights", {fd, rights::fd_tell, 0}), Errno::success);
  guest.put(64, buffer);
  guest.put(68, std::uint32_t{1});
  EXPECT_EQ(guest.errno_of("fd_read", {fd, 64, 1, 80}), Errno::notcapable);
  EXPECT_EQ(guest.errno_of("fd_fdstat_set_rights", {fd, rights::fd_read, 0}), Errno::notcapable);
}

TEST_F(Directories, answer_names_that_cannot_be_made_or_taken_as_linux_does) {
  FakeGuest guest = make(true);
  const auto made = [&guest](const char* function, std::string_view path) {
    guest.put(path_at, path);
    return guest.errno_of(function, {preopen, path_at, path.size()});
  };
  for (const char* dots : {".", "..", "sub/.", "sub/..", "./"}) {
    // What C programs and standard libraries take for "it is there": no other errno will do.
    EXPECT_EQ(made("path_create_directory", dots), Errno::exist) << dots;
    EXPECT_EQ(made("path_remove_directory", dots), Errno::inval) << dots;
    EXPECT_EQ(made("path_unlink_file", dots), Errno::isdir) << dots;
  }
  guest.put(other_path_at, std::string_view("filenew/sub/"));
  const auto link = [&guest](std::uint32_t name, std::uint32_t bytes) {
    return guest.errno_of("path_link", {preopen, 0, other_path_at, 4, preopen, name, bytes});
  };
  const auto symlink = [&guest](std::uint32_t name, std::uint32_t bytes) {
    return guest.errno_of("path_symlink", {other_path_at, 4, preopen, name, bytes});
  };
  EXPECT_EQ(link(other_path_at + 4, 4), Errno::noent);
  EXPECT_EQ(link(other_path_at + 8, 4), Errno::exist);
  EXPECT_EQ(symlink(other_path_at + 4, 4), Errno::noent);
  EXPECT_EQ(symlink(other_path_at + 8, 4), Errno::exist);
}

TEST_F(Directories, open_no_directory_for_writing) {
  FakeGuest guest = make(true);
  ASSERT_EQ(guest.errno_of("fd_fdstat_get", {preopen, buffer}), Errno::success);
  EXPECT_EQ(open(guest, "sub", 0, guest.u64(buffer + 8)), Errno::success) << "with the rights of its parent";
  EXPECT_EQ(open(guest, "sub", wasi::oflags::directory, rights::fd_read | rights::fd_write), Errno::isdir);
}

TEST_F(Directories, tell_a_right_that_was_given_up_from_one_that_was_never_granted) {
  FakeGuest guest = make(true);
  ASSERT_EQ(guest.errno_of("fd_fdstat_get", {preopen, buffer}), Errno::success);
  const std::uint64_t base = guest.u64(buffer + 8);
  ASSERT_EQ(guest.errno_of("fd_fdstat_set_rights", {preopen, base & ~rights::path_filestat_set_size, 0}),
            Errno::success);
  EXPECT_EQ(open(guest, "file", wasi::oflags::trunc, 0), Errno::notcapable);
  EXPECT_EQ(read(root_ / "granted" / "file"), "inside");
}

TEST_F(Directories, pass_their_rights_on_to_directories_below) {
  FakeGuest guest = make(true);
  ASSERT_EQ(open(guest, "sub", wasi::oflags::directory, rights::fd_read), Errno::success);
  const std::uint32_t sub = guest.u32(result);
  guest.put(path_at, std::string_view("new"));
  EXPECT_EQ(guest.errno_of("path_create_directory", {sub, path_at, 3}), Errno::success);
  EXPECT_EQ(guest.errno_of("path_open", {sub, follow, path_at, 3, wasi::oflags::directory, 0, 0, 0, result}),
            Errno::success);
  EXPECT_EQ(guest.errno_of("fd_readdir", {guest.u32(result), buffer, 100, 0, 80}), Errno::success);
}

TEST_F(Directories, open_so_many_descriptors_and_no_more) {
  FakeGuest guest = make(false);
  Errno last = Errno::success;
  int opened = 0;
  while (last == Errno::success && opened < 1000) {
    last = open(guest, "file");
    ++opened;
  }
  EXPECT_EQ(last, Errno::mfile);
  EXPECT_GT(opened, 200);  // a tree of that depth can be removed
  EXPECT_EQ(guest.errno_of("fd_close", {10}), Errno::success);
  EXPECT_EQ(open(guest, "file"), Errno::success);
  EXPECT_EQ(guest.u32(result), 10u);
}

}  // namespace
}  // namespace tollgate::sandbox
