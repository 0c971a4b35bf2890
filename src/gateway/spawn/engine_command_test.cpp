// Engines are played by shell scripts: what a hostile module does to a compiler is up to the test.
#include "gateway/spawn/engine_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tollgate::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class EngineModule : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate-engine-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    ASSERT_EQ(chmod(name.c_str(), 0755), 0);
    folder_ = name;
    std::ofstream(folder_ / "m.wasm", std::ios::binary) << std::string_view("\0asm\1\0\0\0", 8);
    wasm_.module = folder_ / "m.wasm";
    wasm_.runtime = Runtime::wasmtime;
    wasm_.mode = EngineMode::aot;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The script gets the result's path as $3, the module's as $4.
  expected<UniqueFd, std::string> compile(const std::string& script,
                                          const ToolLimits& limits = engine_compile_limits) {
    std::ofstream(folder_ / "engine") << "#!/bin/sh\n" << script << '\n';
    return engine_module(wasm_, {.argv = {"/bin/sh", folder_ / "engine"}, .version = script},
                         folder_ / "cache", limits);
  }
  std::string failure(const std::string& script, const ToolLimits& limits) {
    const auto result = compile(script, limits);
    return result ? "no failure" : result.error();
  }

  std::filesystem::path folder_;
  WasmBackend wasm_;
};

TEST_F(EngineModule, is_what_the_engine_compiled_and_is_compiled_once) {
  const std::string script = "cat $4 > $3; echo . >> $3";
  const auto first = compile(script);
  ASSERT_TRUE(first) << first.error();
  struct stat one{};
  ASSERT_EQ(fstat(first->get(), &one), 0);
  EXPECT_EQ(one.st_size, 10);
  const auto second = compile(script);
  struct stat other{};
  ASSERT_EQ(fstat(second->get(), &other), 0);
  EXPECT_EQ(one.st_ino, other.st_ino);
}

TEST_F(EngineModule, where_there_is_no_folder_to_compile_in_names_it_and_the_remedy) {
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", "/no/such/folder", 1);
  EXPECT_THAT(failure("cat $4 > $3", engine_compile_limits),
              HasSubstr("/no/such/folder: No such file or directory; name another one by TMPDIR"));
  before != nullptr ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
}

TEST_F(EngineModule, is_compiled_without_rights) {
  const auto made = compile("id -u > $3; grep NoNewPrivs /proc/self/status >> $3");
  ASSERT_TRUE(made) << made.error();
  std::string said(64, '\0');
  said.resize(static_cast<std::size_t>(pread(made->get(), said.data(), said.size(), 0)));
  if (geteuid() == 0) {
    EXPECT_THAT(said, StartsWith("65534\n"));
  }
  EXPECT_THAT(said, HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(EngineModule, that_takes_too_much_of_anything_to_compile_is_refused_with_the_limit) {
  ToolLimits limits = engine_compile_limits;
  limits.cpu_seconds = 1;
  EXPECT_THAT(failure("while :; do :; done", limits),
              HasSubstr("m.wasm takes too long to compile: the limit is 1 s of CPU"));
  limits.wall = std::chrono::milliseconds(200);
  EXPECT_THAT(failure("sleep 30 & sleep 30", limits),
              HasSubstr("takes too long to compile: the limit is 200 ms"));
  limits = engine_compile_limits;
  limits.file_bytes = 4096;
  EXPECT_THAT(failure("exec head -c 100000 /dev/zero > $3", limits),
              HasSubstr("compiles to more than the limit of 4096 bytes"));
  limits.address_space_bytes = 256u << 20;
  EXPECT_THAT(failure("echo \"memory allocation of $(ulimit -v) KiB failed\"; kill -ABRT $$", limits),
              HasSubstr("m.wasm takes too much memory to compile: the limit is 268435456 bytes"));
}

TEST_F(EngineModule, that_the_engine_refuses_is_refused_in_its_words) {
  const std::string said = failure("echo 'unknown opcode 0xff' >&2; exit 1", engine_compile_limits);
  EXPECT_THAT(said, HasSubstr("m.wasm cannot be compiled: unknown opcode 0xff"));
  EXPECT_THAT(failure("exit 0", engine_compile_limits), HasSubstr("the engine wrote nothing"));
}

}  // namespace
}  // namespace tollgate::gateway
