#include "sandbox/program_preparation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sandbox/engine_fingerprint.hpp"
#include "sandbox/module_testing.hpp"
#include "tests/support/compile_bombs.hpp"

namespace tollgate::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::Bytes;
using testing::command;
using ::testing::HasSubstr;
using Origin = PreparedProgram::Origin;

constexpr std::uint64_t memory_bytes_max = 1 << 20;

class ProgramPreparationTest : public ::testing::Test {
 public:
  ProgramPreparationTest() {
    char pattern[] = "/tmp/tollgate-preparation-XXXXXX";
    root_ = ::mkdtemp(pattern);
    store_.emplace(std::move(*ProgramStore::open(root_ + "/programs")));
  }
  ~ProgramPreparationTest() override { fs::remove_all(root_); }

 protected:
  std::string file(const std::string& name, const Bytes& bytes) const {
    const std::string path = root_ + "/" + name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  PreparedProgram prepare(const std::string& path, PreparationOptions options = {}) {
    return prepare_program(path, memory_bytes_max, &*store_, engine_, std::move(options));
  }

  // As `tollgate compile -o` writes it.
  std::string precompiled(const std::string& name, const Bytes& module) {
    const auto compiled = compile(module, {.name = "x"});
    EXPECT_TRUE(compiled);
    Bytes all(static_cast<std::size_t>(size_of(compiled->code.get())));
    EXPECT_EQ(::pread(compiled->code.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    return file(name, all);
  }

  static off_t size_of(int fd) {
    struct stat status{};
    EXPECT_EQ(::fstat(fd, &status), 0);
    return status.st_size;
  }

  const std::string engine_ = engine_fingerprint().value();
  std::string root_;
  std::optional<ProgramStore> store_;
};

TEST_F(ProgramPreparationTest, the_first_use_compiles_and_the_second_finds_it_in_the_cache) {
  const std::string path = file("hello.wasm", command());
  const auto first = prepare(path);
  ASSERT_TRUE(first.bundle) << first.bundle.error();
  EXPECT_EQ(first.origin, Origin::compiled);
  EXPECT_EQ(first.warning, "");
  const auto second = prepare(path);
  ASSERT_TRUE(second.bundle) << second.bundle.error();
  EXPECT_EQ(second.origin, Origin::cache);
  EXPECT_EQ(second.bundle->manifest.name, "hello");
}

TEST_F(ProgramPreparationTest, the_same_module_under_another_name_is_the_same_entry) {
  ASSERT_TRUE(prepare(file("a.wasm", command())).bundle);
  const auto other = prepare(file("b.wasm", command()));
  EXPECT_EQ(other.origin, Origin::cache);
  EXPECT_EQ(other.bundle->manifest.name, "b");
}

TEST_F(ProgramPreparationTest, a_changed_module_is_compiled_anew) {
  const std::string path = file("a.wasm", command());
  ASSERT_TRUE(prepare(path).bundle);
  file("a.wasm", command("(global i32 (i32.const 1))"));
  EXPECT_EQ(prepare(path).origin, Origin::compiled);
}

TEST_F(ProgramPreparationTest, an_entry_of_another_engine_is_not_used) {
  const std::string path = file("a.wasm", command());
  ASSERT_TRUE(prepare(path).bundle);
  const auto other = prepare_program(path, memory_bytes_max, &*store_, "wasmtime-0-other");
  EXPECT_EQ(other.origin, Origin::compiled);
}

TEST_F(ProgramPreparationTest, a_damaged_entry_is_compiled_again_and_repaired) {
  const std::string path = file("a.wasm", command());
  ASSERT_TRUE(prepare(path).bundle);
  for (const auto& entry : fs::directory_iterator(root_ + "/programs")) fs::resize_file(entry.path(), 4000);
  EXPECT_EQ(prepare(path).origin, Origin::compiled);
  EXPECT_EQ(prepare(path).origin, Origin::cache);
}

TEST_F(ProgramPreparationTest, without_a_cache_everything_is_compiled) {
  const std::string path = file("a.wasm", command());
  for (int i = 0; i < 2; ++i) {
    const auto program = prepare_program(path, memory_bytes_max, nullptr, engine_);
    ASSERT_TRUE(program.bundle) << program.bundle.error();
    EXPECT_EQ(program.origin, Origin::compiled);
  }
}

TEST_F(ProgramPreparationTest, the_limit_on_initial_memory_holds_for_cached_programs_too) {
  const std::string path = file("a.wasm", command());
  ASSERT_TRUE(prepare(path).bundle);
  const auto small = prepare_program(path, 1000, &*store_, engine_);
  ASSERT_FALSE(small.bundle);
  EXPECT_THAT(small.bundle.error(), HasSubstr("more than the limit of 1000"));
}

TEST_F(ProgramPreparationTest, equal_modules_are_compiled_once_and_each_path_has_its_result) {
  ProgramPreparation preparation(&*store_, engine_, {});
  for (const char* name : {"a", "b", "c"}) {
    preparation.add(file(std::string(name) + ".wasm", command()), memory_bytes_max);
  }
  preparation.add(file("other.wasm", command("(global i32 (i32.const 1))")), memory_bytes_max);
  preparation.add(root_ + "/missing.wasm", memory_bytes_max);
  preparation.add(file("text.wasm", {'h', 'i'}), memory_bytes_max);
  preparation.finish();
  const auto programs = preparation.take();
  ASSERT_EQ(programs.size(), 6u);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(programs[i].bundle) << programs[i].bundle.error();
    EXPECT_EQ(programs[i].bundle->manifest.name, fs::path(programs[i].path).stem());
  }
  EXPECT_THAT(programs[4].bundle.error(), HasSubstr("No such file"));
  EXPECT_THAT(programs[5].bundle.error(), HasSubstr("not a WebAssembly module"));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_ + "/programs"), fs::directory_iterator()), 2);
}

TEST_F(ProgramPreparationTest, one_bad_module_does_not_hold_up_the_others) {
  ProgramPreparation preparation(&*store_, engine_, {.children_max = 1});
  preparation.add(file("bad.wasm", command("(memory 1)")), memory_bytes_max);
  for (int i = 0; i < 5; ++i) {
    preparation.add(
        file(std::to_string(i) + ".wasm", command("(global i32 (i32.const " + std::to_string(i) + "))")),
        memory_bytes_max);
  }
  preparation.finish();
  const auto programs = preparation.take();
  EXPECT_THAT(programs[0].bundle.error(), HasSubstr("multi-memory"));
  for (std::size_t i = 1; i < programs.size(); ++i) EXPECT_TRUE(programs[i].bundle);
}

TEST_F(ProgramPreparationTest, a_loop_can_wait_on_its_descriptor) {
  ProgramPreparation preparation(&*store_, engine_, {});
  preparation.add(file("a.wasm", command()), memory_bytes_max);
  preparation.add(file("b.wasm", command("(global i32 (i32.const 7))")), memory_bytes_max);
  int turns = 0;
  while (!preparation.advance()) {
    pollfd ready{preparation.pollable(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 30'000), 1);
    ASSERT_LT(++turns, 10);
  }
  EXPECT_GT(turns, 0);
  for (const auto& program : preparation.take()) EXPECT_TRUE(program.bundle);
}

TEST_F(ProgramPreparationTest, says_how_many_modules_are_left_when_its_time_is_over) {
  ProgramPreparation preparation(&*store_, engine_, {.children_max = 1});
  preparation.add(file("slow.wasm", tollgate::testing::slow_module()), memory_bytes_max);
  preparation.add(file("same.wasm", tollgate::testing::slow_module()), memory_bytes_max);
  preparation.add(file("quick.wasm", command()), memory_bytes_max);
  preparation.add(root_ + "/missing.wasm", memory_bytes_max);
  EXPECT_FALSE(preparation.finish_within(std::chrono::milliseconds(50)));
  EXPECT_EQ(preparation.left(), 2u);
}

TEST_F(ProgramPreparationTest, compiled_code_from_elsewhere_needs_to_be_trusted) {
  const std::string path = precompiled("x.cwasm", command());
  const auto refused = prepare(path);
  ASSERT_FALSE(refused.bundle);
  EXPECT_THAT(refused.bundle.error(), HasSubstr("--trust-precompiled"));
  const auto trusted = prepare(path, {.precompiled = Precompiled::trusted});
  ASSERT_TRUE(trusted.bundle) << trusted.bundle.error();
  EXPECT_EQ(trusted.origin, Origin::file);
  fs::resize_file(path, 0);  // its owner may do so: what was loaded is a copy
  char byte = 0;
  EXPECT_EQ(::pread(trusted.bundle->code.get(), &byte, 1, 4000), 1);
}

TEST_F(ProgramPreparationTest, trusted_code_of_another_engine_or_damaged_is_still_refused) {
  const std::string path = precompiled("x.cwasm", command());
  const auto other = prepare_program(path, memory_bytes_max, nullptr, "wasmtime-0-other",
                                     {.precompiled = Precompiled::trusted});
  ASSERT_FALSE(other.bundle);
  EXPECT_THAT(other.bundle.error(), HasSubstr("compile it again"));
  fs::resize_file(path, 5000);
  EXPECT_FALSE(prepare(path, {.precompiled = Precompiled::trusted}).bundle);
  const auto foreign =
      prepare(file("elf.cwasm", {0x7f, 'E', 'L', 'F', 0, 0}), {.precompiled = Precompiled::trusted});
  ASSERT_FALSE(foreign.bundle);
}

TEST_F(ProgramPreparationTest, what_is_no_file_is_refused_and_a_pipe_does_not_block) {
  EXPECT_THAT(prepare(root_).bundle.error(), HasSubstr("not a file"));
  ASSERT_EQ(::mkfifo((root_ + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(prepare(root_ + "/pipe").bundle.error(), HasSubstr("not a file"));
}

TEST_F(ProgramPreparationTest, a_cache_that_cannot_be_written_costs_a_warning_only) {
  const std::string path = file("a.wasm", command());
  fs::remove_all(root_ + "/programs");
  const auto program = prepare(path);
  ASSERT_TRUE(program.bundle) << program.bundle.error();
  EXPECT_THAT(program.warning, HasSubstr("cannot be kept"));
}

TEST_F(ProgramPreparationTest, a_compile_bomb_ends_with_a_sentence) {
  const std::string path = file("bomb.wasm", tollgate::testing::slow_module());
  const auto program = prepare(path, {.limits = {.wall = std::chrono::milliseconds(200)}});
  ASSERT_FALSE(program.bundle);
  EXPECT_THAT(program.bundle.error(), HasSubstr("takes too long to compile"));
}

}  // namespace
}  // namespace tollgate::sandbox
