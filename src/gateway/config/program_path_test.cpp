#include "gateway/config/program_path.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

class ProgramPath : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    fs::create_directories(folder_ + "/first/tool");  // a folder, which access(2) calls executable
    write("second/tool", 0644);
    write("third/tool", 0755);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, mode_t mode) {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name) << "#!/bin/sh\n";
    ASSERT_EQ(chmod((folder_ + "/" + name).c_str(), mode), 0);
  }

  std::string folder_ = fs::temp_directory_path() / "program-path-XXXXXX";
};

TEST_F(ProgramPath, passes_over_what_cannot_be_executed) {
  const std::string path =
      folder_ + "/missing:" + folder_ + "/first:" + folder_ + "/second:" + folder_ + "/third";
  EXPECT_EQ(find_on_path("tool", path), folder_ + "/third/tool");
  EXPECT_EQ(find_on_path("tool", folder_ + "/first:" + folder_ + "/second"), std::nullopt);
}

TEST_F(ProgramPath, takes_no_empty_folder_for_the_current_or_the_top_one) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_ + "/third");
  EXPECT_EQ(find_on_path("tool", "::"), std::nullopt);
  EXPECT_EQ(find_on_path("bin/sh", ":"), std::nullopt);
  EXPECT_EQ(find_on_path("tool", ""), std::nullopt);
  fs::current_path(before);
}

}  // namespace
}  // namespace tollgate::gateway
