// Directories granted to a guest: what it sees through the real binary, and that nothing leads out of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

class GrantedDirectories : public ::testing::Test {
 protected:
  GrantedDirectories() {
    folder_.write("secret.txt", secret);
    folder_.write("shown/hello.txt", "hello");
    folder_.write("shown/below/deep.txt", "deep");
    folder_.write("kept/old.txt", "old");
    const auto shown = folder_.path() / "shown";
    std::filesystem::create_symlink("../secret.txt", shown / "out");
    std::filesystem::create_symlink("..", shown / "up");
    std::filesystem::create_symlink("/etc/passwd", shown / "absolute");
    std::filesystem::create_symlink("below/deep.txt", shown / "inside");
    std::filesystem::permissions(folder_.path() / "kept", std::filesystem::perms(0777));
    const auto grant = [this](const std::string& name, const std::string& more) {
      return "{ host = \"" + (folder_.path() / name).string() + "\", guest = \"/" + name + "\"" + more + " }";
    };
    gateway_ = std::make_unique<GatewayProcess>(GatewayProcess::with_config(
        one_worker +
        wasm_route("/", "file_reader_c",
                   "dirs = [" + grant("shown", "") + ", " + grant("kept", ", write = true") + "]\n") +
        wasm_route("/none", "file_reader_c")));
  }
  std::string ask(const std::string& path, const std::string& route = "/") {
    const Response response = get(gateway_->port(), route + "?" + path);
    EXPECT_EQ(response.status, 200) << path;
    return response.body;
  }

  const std::string secret = "not for guests";
  TempDir folder_;
  std::unique_ptr<GatewayProcess> gateway_;
};

TEST_F(GrantedDirectories, are_read_also_by_links_that_stay_inside) {
  EXPECT_EQ(ask("/shown/hello.txt"), "hello");
  EXPECT_EQ(ask("/shown/below/deep.txt"), "deep");
  EXPECT_EQ(ask("/shown/below/../hello.txt"), "hello");
  EXPECT_EQ(ask("/shown/inside"), "deep");
}

TEST_F(GrantedDirectories, lead_out_by_no_path_and_no_link) {
  for (const char* const path :
       {"/shown/../secret.txt", "/shown/out", "/shown/up/secret.txt", "/shown/below/../../secret.txt",
        "/shown/absolute", "/shown/up/up/up/up/up/etc/passwd", "/secret.txt", "/etc/passwd",
        "/proc/self/environ", "secret.txt", "/shown//..//secret.txt", "/kept/../secret.txt"}) {
    EXPECT_TRUE(ask(path).starts_with("refused: ")) << path << ": " << ask(path);
  }
}

TEST_F(GrantedDirectories, are_written_only_where_that_was_granted) {
  EXPECT_EQ(ask("w:/kept/new.txt"), "written\n");
  EXPECT_EQ(read_file(folder_.path() / "kept/new.txt"), "written\n");
  for (const char* const path :
       {"w:/shown/new.txt", "w:/shown/hello.txt", "w:/kept/../secret.txt", "w:/shown/out"}) {
    EXPECT_TRUE(ask(path).starts_with("refused: ")) << path;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "shown/new.txt"));
  EXPECT_EQ(read_file(folder_.path() / "shown/hello.txt"), "hello");
  EXPECT_EQ(read_file(folder_.path() / "secret.txt"), secret);
}

TEST_F(GrantedDirectories, of_one_route_are_not_those_of_another) {
  EXPECT_TRUE(ask("/shown/hello.txt", "/none").starts_with("refused: "));
  EXPECT_TRUE(ask("w:/kept/new.txt", "/none").starts_with("refused: "));
}

}  // namespace
}  // namespace tollgate::testing
