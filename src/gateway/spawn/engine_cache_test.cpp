#include "gateway/spawn/engine_cache.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <thread>

namespace tollgate::gateway {
namespace {

using ::testing::HasSubstr;

class EngineCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate-engines-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static UniqueFd content(const std::string& text) {
    UniqueFd file(memfd_create("content", MFD_CLOEXEC));
    EXPECT_EQ(pwrite(file.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return file;
  }
  static std::string read(const UniqueFd& file) {
    std::string text(1u << 20, '\0');
    const ssize_t count = pread(file.get(), text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  // File times are as coarse as the kernel's tick.
  static void next_tick() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

  std::filesystem::path folder_;
};

TEST_F(EngineCacheTest, keeps_what_it_is_given) {
  const auto cache = EngineCache::open(folder_ / "engines");
  ASSERT_TRUE(cache) << cache.error();
  EXPECT_FALSE(cache->find("a"));
  const auto kept = cache->keep("a", content("code").get());
  ASSERT_TRUE(kept) << kept.error();
  EXPECT_EQ(read(*kept), "code");
  EXPECT_EQ(read(cache->find("a")), "code");
}

TEST_F(EngineCacheTest, makes_folders_that_are_closed_to_others) {
  ASSERT_TRUE(EngineCache::open(folder_ / "a/b/engines"));
  for (const char* const made : {"a/b", "a/b/engines"}) {
    struct stat status{};
    ASSERT_EQ(stat((folder_ / made).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0700u) << made;
  }
}

TEST_F(EngineCacheTest, writers_of_one_entry_do_not_meet) {
  const auto keep_often = [this] {
    const auto cache = EngineCache::open(folder_);
    ASSERT_TRUE(cache);
    for (int i = 0; i < 100; ++i) {
      const auto kept = cache->keep("a", content(std::string(100'000, 'x')).get());
      EXPECT_TRUE(kept && read(*kept).size() == 100'000u);
    }
  };
  std::thread other(keep_often);
  keep_often();
  other.join();
}

TEST_F(EngineCacheTest, makes_room_by_the_least_recently_used) {
  const auto cache = EngineCache::open(folder_, 2 * 65536 + 4096);
  ASSERT_TRUE(cache);
  const std::string large(65536, 'x');
  for (const char* const name : {"a", "b"}) {
    ASSERT_TRUE(cache->keep(name, content(large).get()));
    next_tick();
  }
  EXPECT_TRUE(cache->find("a"));  // now b is older
  next_tick();
  ASSERT_TRUE(cache->keep("c", content(large).get()));
  EXPECT_TRUE(cache->find("a"));
  EXPECT_FALSE(cache->find("b"));
  EXPECT_TRUE(cache->find("c"));
}

TEST_F(EngineCacheTest, keeps_the_newest_even_where_it_alone_is_too_large) {
  const auto cache = EngineCache::open(folder_, 4096);
  ASSERT_TRUE(cache);
  EXPECT_TRUE(cache->keep("a", content(std::string(65536, 'x')).get()));
  EXPECT_TRUE(cache->find("a"));
}

TEST_F(EngineCacheTest, closes_its_folder_to_others_and_takes_no_link_for_one) {
  chmod(folder_.c_str(), 0777);
  ASSERT_TRUE(EngineCache::open(folder_));
  struct stat status{};
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0700u);
  std::filesystem::create_directory_symlink(folder_, folder_ / "link");
  const auto linked = EngineCache::open(folder_ / "link");
  ASSERT_FALSE(linked);
  EXPECT_THAT(linked.error(), HasSubstr("name another folder by `cache`"));
}

}  // namespace
}  // namespace tollgate::gateway
