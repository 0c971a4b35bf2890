// tollgate doctor: a verdict for scripts and a sentence for people.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/gateway_process.hpp"

namespace tollgate::testing {
namespace {

TEST(Doctor, says_what_is_there_and_exits_0_where_tollgate_can_serve) {
  const Exit exit = run_tollgate({"doctor"});
  EXPECT_EQ(exit.code, 0) << exit.out;
  for (const char* what :
       {"kernel", "CPUs", "SO_REUSEPORT", "vm.max_map_count", "seccomp", "wasmtime", "nginx"}) {
    EXPECT_NE(exit.out.find(what), std::string::npos) << what;
  }
  EXPECT_NE(exit.out.find("tollgate can serve here"), std::string::npos);
}

TEST(Doctor, finds_no_tool_where_there_is_no_path_and_says_how_to_get_them) {
  const Exit exit = run_tollgate({"doctor"}, {{"PATH", "/nonexistent"}});
  EXPECT_EQ(exit.code, 0) << exit.out;
  EXPECT_NE(exit.out.find("apt-get install nginx-light"), std::string::npos) << exit.out;
}

TEST(Doctor, says_that_no_docker_engine_answers_and_takes_no_folder_for_a_program) {
  const TempDir folder;
  std::filesystem::create_directory(folder.path() / "wasmtime");
  const std::string client =
      folder.write("docker", "#!/bin/sh\n[ \"$1\" = --version ] && echo Docker version 1\n");
  std::filesystem::permissions(client, std::filesystem::perms::owner_all);
  const Exit exit = run_tollgate(
      {"doctor"},
      {{"PATH", folder.path().string() + ":/bin"}, {"HOME", "/nonexistent"}, {"XDG_CACHE_HOME", ""}});
  EXPECT_EQ(exit.code, 0) << exit.out;
  EXPECT_NE(exit.out.find("no engine answers: systemctl start docker"), std::string::npos) << exit.out;
  EXPECT_EQ(exit.out.find(folder.path() / "wasmtime"), std::string::npos) << exit.out;
}

}  // namespace
}  // namespace tollgate::testing
