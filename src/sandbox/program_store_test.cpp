#include "sandbox/program_store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "sandbox/bundle_file.hpp"

namespace tollgate::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ProgramStoreTest : public ::testing::Test {
 public:
  ProgramStoreTest() {
    char pattern[] = "/tmp/tollgate-store-XXXXXX";
    root_ = ::mkdtemp(pattern);
    folder_ = root_ + "/programs";
  }
  ~ProgramStoreTest() override {
    ::chmod(folder_.c_str(), 0700);
    if (::seteuid(::getuid()) != 0) std::abort();  // one test gives root's rights up
    fs::remove_all(root_);
  }

 protected:
  ProgramStore store(std::uint64_t bytes_max = ProgramStore::bytes_max_default) {
    auto opened = ProgramStore::open(folder_, bytes_max);
    EXPECT_TRUE(opened) << opened.error();
    return std::move(*opened);
  }

  static ProgramKey key(const std::string& digest) { return {digest, "wasmtime-1-test"}; }

  // A bundle whose code is `bytes` long and begins with its digest.
  static BundleFds bundle_for(const ProgramKey& key, std::size_t bytes = 10'000) {
    std::vector<std::uint8_t> code(bytes, 'c');
    std::copy(key.module_digest.begin(), key.module_digest.end(), code.begin());
    const std::vector<std::uint8_t> page(image_page_bytes, 'i');
    BundleContent content;
    content.manifest.module_digest = key.module_digest;
    content.manifest.engine = key.engine;
    content.manifest.name = "n";
    content.manifest.entry = "_start";
    content.manifest.memory_pages_min = 16;
    content.code = code;
    content.image = {{8192, page}};
    UniqueFd file(::memfd_create("bundle", MFD_CLOEXEC));
    EXPECT_TRUE(write_bundle(file.get(), content));
    return std::move(*open_bundle(std::move(file)));
  }

  std::string entry(const ProgramKey& wanted) const { return folder_ + "/" + wanted.file_name(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  std::string root_;
  std::string folder_;
};

// A resource limit of this process, for as long as it lives.
class Limited {
 public:
  Limited(__rlimit_resource resource, rlim_t value) : resource_(resource) {
    ::getrlimit(resource_, &before_);
    const rlimit now{value, before_.rlim_max};
    EXPECT_EQ(::setrlimit(resource_, &now), 0);
  }
  ~Limited() { ::setrlimit(resource_, &before_); }
  Limited(const Limited&) = delete;
  Limited& operator=(const Limited&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

std::string refusal(const std::string& folder) {
  const auto opened = ProgramStore::open(folder);
  EXPECT_FALSE(opened);
  return opened ? "" : opened.error();
}

TEST_F(ProgramStoreTest, makes_a_folder_that_is_closed_to_others) {
  (void)store();
  struct stat status{};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(ProgramStoreTest, a_folder_of_another_user_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  (void)store();
  ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(refusal(folder_), HasSubstr("belongs to user 12345"));
}

TEST_F(ProgramStoreTest, a_folder_that_lets_others_in_is_refused) {
  for (const mode_t mode : {0701, 0710, 0720, 0755, 0777, 01777}) {
    (void)store();
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    EXPECT_THAT(refusal(folder_), HasSubstr("lets others in"));
    ASSERT_EQ(::chmod(folder_.c_str(), 0700), 0);
  }
}

TEST_F(ProgramStoreTest, a_symbolic_link_or_a_file_in_its_place_is_refused) {
  (void)store();
  fs::create_directory_symlink(folder_, root_ + "/link");
  EXPECT_THAT(refusal(root_ + "/link"), HasSubstr("symbolic link"));
  std::ofstream(root_ + "/file") << "x";
  EXPECT_THAT(refusal(root_ + "/file"), HasSubstr("no folder"));
  EXPECT_THAT(refusal("/proc/tollgate/programs"), HasSubstr("cannot be used"));
}

TEST_F(ProgramStoreTest, an_entry_is_found_again_and_only_under_its_key) {
  auto opened = store();
  EXPECT_FALSE(opened.find(key("aa")));
  const auto kept = opened.keep(key("aa"), bundle_for(key("aa")));
  ASSERT_TRUE(kept) << kept.error();
  const auto found = store().find(key("aa"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->manifest.module_digest, "aa");
  EXPECT_TRUE(found->image);
  EXPECT_FALSE(opened.find(key("ab")));
  EXPECT_FALSE(opened.find({"aa", "wasmtime-2-test"}));
  EXPECT_EQ(files(), 1u);
  struct stat status{};
  ASSERT_EQ(::stat(entry(key("aa")).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(ProgramStoreTest, a_truncated_entry_counts_as_absent_and_is_removed) {
  auto opened = store();
  for (const std::uintmax_t size : {0, 10, 5000, 70'000}) {
    ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
    fs::resize_file(entry(key("aa")), size);
    EXPECT_FALSE(opened.find(key("aa"))) << size;
    EXPECT_EQ(files(), 0u);
  }
}

TEST_F(ProgramStoreTest, a_flipped_bit_counts_as_absent) {
  auto opened = store();
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  const auto size = fs::file_size(entry(key("aa")));
  for (std::uintmax_t at = 0; at < size; at += size / 40) {
    ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
    {
      std::fstream file(entry(key("aa")), std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const char flipped = static_cast<char>(file.get() ^ 4);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(flipped);
    }
    EXPECT_FALSE(opened.find(key("aa"))) << "flipped at " << at;
  }
}

TEST_F(ProgramStoreTest, an_entry_of_another_engine_or_module_under_the_right_name_counts_as_absent) {
  auto opened = store();
  const ProgramKey other{"aa", "wasmtime-9-other-configuration"};
  ASSERT_TRUE(opened.keep(other, bundle_for(other)));
  fs::rename(entry(other), entry(key("aa")));
  EXPECT_FALSE(opened.find(key("aa")));
  ASSERT_TRUE(opened.keep(key("bb"), bundle_for(key("bb"))));
  fs::rename(entry(key("bb")), entry(key("aa")));
  EXPECT_FALSE(opened.find(key("aa")));
}

TEST_F(ProgramStoreTest, an_entry_that_is_a_link_or_lets_others_in_counts_as_absent) {
  auto opened = store();
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  fs::rename(entry(key("aa")), root_ + "/elsewhere");
  fs::create_symlink(root_ + "/elsewhere", entry(key("aa")));
  EXPECT_FALSE(opened.find(key("aa")));
  EXPECT_TRUE(fs::exists(root_ + "/elsewhere"));
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  ASSERT_EQ(::chmod(entry(key("aa")).c_str(), 0666), 0);
  EXPECT_FALSE(opened.find(key("aa")));
}

TEST_F(ProgramStoreTest, an_entry_that_is_replaced_while_loaded_stays_what_it_was) {
  auto opened = store();
  const auto before = opened.keep(key("aa"), bundle_for(key("aa"), 10'000));
  ASSERT_TRUE(before);
  const auto found = opened.find(key("aa"));
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"), 20'000)));
  for (const int file : {before->code.get(), found->code.get()}) {
    struct stat status{};
    ASSERT_EQ(::fstat(file, &status), 0);
    EXPECT_EQ(status.st_nlink, 0u);
    char byte = 0;
    EXPECT_EQ(::pread(file, &byte, 1, 9'999), 1);
    EXPECT_EQ(byte, 'c');
  }
  EXPECT_EQ(found->manifest.code_bytes, 10'000u);
  EXPECT_EQ(opened.find(key("aa"))->manifest.code_bytes, 20'000u);
}

TEST_F(ProgramStoreTest, readers_and_writers_of_one_entry_never_see_half_of_it) {
  std::atomic<bool> stop{false};
  std::atomic<int> seen{0};
  ASSERT_TRUE(store().keep(key("aa"), bundle_for(key("aa"))));
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      auto mine = store();
      while (!stop) {
        const auto found = mine.find(key("aa"));
        ASSERT_TRUE(found);
        ++seen;
      }
    });
  }
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store().keep(key("aa"), bundle_for(key("aa"), 10'000 + i)));
  while (seen == 0) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(files(), 1u);
}

TEST_F(ProgramStoreTest, writers_of_one_entry_do_not_meet) {
  // New stores of one process have what gateways in containers of their own have: the same process id.
  const auto keep_often = [this] {
    const BundleFds bundle = bundle_for(key("aa"));
    for (int i = 0; i < 200; ++i) {
      const auto kept = store().keep(key("aa"), bundle);
      EXPECT_TRUE(kept) << kept.error();
    }
  };
  std::thread other(keep_often);
  keep_often();
  other.join();
  EXPECT_EQ(files(), 1u);
}

TEST_F(ProgramStoreTest, a_folder_that_cannot_be_written_still_gives_its_entries) {
  ASSERT_TRUE(store().keep(key("aa"), bundle_for(key("aa"))));
  ASSERT_TRUE(store().keep(key("bb"), bundle_for(key("bb"))));
  fs::resize_file(entry(key("bb")), 5000);
  if (::geteuid() == 0) {  // whom no mode holds back
    constexpr uid_t somebody = 65534;
    for (const std::string& path : {root_, folder_, entry(key("aa")), entry(key("bb"))})
      ASSERT_EQ(::chown(path.c_str(), somebody, somebody), 0);
    ASSERT_EQ(::seteuid(somebody), 0);
  }
  ASSERT_EQ(::chmod(folder_.c_str(), 0500), 0);
  auto opened = store();
  EXPECT_TRUE(opened.find(key("aa")));
  EXPECT_FALSE(opened.find(key("bb"))) << "it is damaged";
  const auto kept = opened.keep(key("cc"), bundle_for(key("cc")));
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error(), HasSubstr("cannot be kept in the program cache: open: "));
  EXPECT_TRUE(opened.find(key("aa")));
}

TEST_F(ProgramStoreTest, what_finds_no_space_leaves_nothing_behind) {
  auto opened = store();
  const BundleFds bundle = bundle_for(key("aa"), 100'000);
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  {
    const Limited file_size(RLIMIT_FSIZE, 50'000);  // fails as a full disk does, amid the copy
    const auto kept = opened.keep(key("aa"), bundle);
    ASSERT_FALSE(kept);
    EXPECT_THAT(kept.error(), HasSubstr("cannot be kept in the program cache: write: "));
  }
  ::signal(SIGXFSZ, before);
  EXPECT_EQ(files(), 0u);
  char byte = 0;
  EXPECT_EQ(::pread(bundle.code.get(), &byte, 1, 99'999), 1);
  EXPECT_TRUE(opened.keep(key("aa"), bundle));
}

TEST_F(ProgramStoreTest, an_entry_that_cannot_be_opened_now_is_not_removed) {
  auto opened = store();
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  {
    const Limited descriptors(RLIMIT_NOFILE, 0);
    EXPECT_FALSE(opened.find(key("aa")));
  }
  EXPECT_TRUE(opened.find(key("aa")));
}

TEST_F(ProgramStoreTest, beyond_its_size_the_least_recently_used_entry_goes) {
  auto opened = store(100'000);  // an entry takes about 24 KB on disk
  const auto age = [&](const ProgramKey& wanted, int seconds_ago) {
    const timespec times[2] = {{::time(nullptr) - seconds_ago, 0}, {::time(nullptr) - seconds_ago, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, entry(wanted).c_str(), times, 0), 0);
  };
  for (const char* digest : {"aa", "bb", "cc"})
    ASSERT_TRUE(opened.keep(key(digest), bundle_for(key(digest))));
  age(key("aa"), 300);
  age(key("bb"), 200);
  age(key("cc"), 100);
  ASSERT_TRUE(opened.find(key("aa")));  // used now
  ASSERT_TRUE(opened.keep(key("dd"), bundle_for(key("dd"), 40'000)));
  EXPECT_FALSE(opened.find(key("bb")));
  EXPECT_TRUE(opened.find(key("aa")));
  EXPECT_TRUE(opened.find(key("cc")));
  EXPECT_TRUE(opened.find(key("dd")));
}

TEST_F(ProgramStoreTest, an_entry_larger_than_the_whole_cache_is_still_the_one_that_stays) {
  auto opened = store(1000);
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  ASSERT_TRUE(opened.keep(key("bb"), bundle_for(key("bb"))));
  EXPECT_FALSE(opened.find(key("aa")));
  EXPECT_TRUE(opened.find(key("bb")));
}

TEST_F(ProgramStoreTest, what_a_killed_writer_left_is_cleared_away_after_a_while) {
  auto opened = store();
  std::ofstream(folder_ + "/.new-1-1-x") << "half";
  std::ofstream(folder_ + "/.new-2-1-x") << "half";
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ + "/.new-1-1-x").c_str(), long_ago, 0), 0);
  ASSERT_TRUE(opened.keep(key("aa"), bundle_for(key("aa"))));
  EXPECT_FALSE(fs::exists(folder_ + "/.new-1-1-x"));
  EXPECT_TRUE(fs::exists(folder_ + "/.new-2-1-x"));
}

TEST_F(ProgramStoreTest, holes_stay_holes) {
  auto opened = store();
  BundleFds bundle = bundle_for(key("aa"));
  ASSERT_TRUE(opened.keep(key("aa"), bundle));
  struct stat status{};
  ASSERT_EQ(::stat(entry(key("aa")).c_str(), &status), 0);
  EXPECT_GT(status.st_size, 1 << 20);
  EXPECT_LT(status.st_blocks * 512, 100'000);
}

}  // namespace
}  // namespace tollgate::sandbox
