#include "sandbox/compiler.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/compiler_child.hpp"
#include "sandbox/engine_fingerprint.hpp"
#include "sandbox/module_testing.hpp"
#include "sandbox/sha256.hpp"
#include "sandbox/wasmtime/engine_handle.hpp"
#include "tests/support/compile_bombs.hpp"

namespace tollgate::sandbox {
namespace {

using namespace std::chrono_literals;
using testing::Bytes;
using testing::command;
using ::testing::HasSubstr;
using testing::wasm_from_text;
using tollgate::testing::command_with_body;
using tollgate::testing::greedy_module;
using tollgate::testing::slow_module;
using Reason = CompileError::Reason;

// The children of these tests are this very program.
__attribute__((constructor)) void become_the_compiler_when_asked(int argc, char** argv, char**) {
  if (argc > 1 && std::strcmp(argv[1], compile_module_command) == 0)
    std::exit(compiler_child_main(argc, argv));
}

CompileOptions named(std::string name) {
  CompileOptions options;
  options.name = std::move(name);
  return options;
}

TEST(Compiler, compiles_a_command_to_code_that_this_engine_loads) {
  const Bytes module = command(R"((data (i32.const 8) "hello"))");
  auto bundle = compile(module, named("hello"));
  ASSERT_TRUE(bundle) << bundle.error().sentence;
  EXPECT_EQ(bundle->manifest.name, "hello");
  EXPECT_EQ(bundle->manifest.entry, "_start");
  EXPECT_EQ(bundle->manifest.module_digest, sha256_hex(module));
  EXPECT_EQ(bundle->manifest.engine, engine_fingerprint().value());
  EXPECT_EQ(bundle->manifest.image_bytes, 65'536u);

  char text[6] = {};
  const auto at = static_cast<off_t>(bundle->manifest.image_offset + 8);
  ASSERT_EQ(::pread(bundle->image.get(), text, 5, at), 5);
  EXPECT_STREQ(text, "hello");

  const auto engine = make_compiling_engine();
  ASSERT_TRUE(engine) << engine.error();
  wasmtime_module_t* loaded = nullptr;
  wasmtime_error_t* error = tollgate_engine_load(engine->get(), bundle->code.release(), &loaded);
  EXPECT_EQ(take_text(error), "");
  ASSERT_NE(loaded, nullptr);
  wasmtime_module_delete(loaded);
}

TEST(Compiler, tells_of_a_start_function_and_of_a_reactor) {
  const auto bundle = compile(
      wasm_from_text(
          R"((module (memory (export "memory") 2 9) (func $s) (start $s) (func (export "_initialize"))))"),
      named("reactor"));
  ASSERT_TRUE(bundle) << bundle.error().sentence;
  EXPECT_EQ(bundle->manifest.entry, "_initialize");
  EXPECT_EQ(bundle->manifest.memory_pages_min, 2u);
  EXPECT_EQ(bundle->manifest.memory_pages_max, 9u);
  EXPECT_EQ(bundle->manifest.image_bytes, 0u);
}

TEST(Compiler, hands_out_a_file_that_nobody_can_change_any_more) {
  const auto bundle = compile(command(), named("sealed"));
  ASSERT_TRUE(bundle) << bundle.error().sentence;
  EXPECT_EQ(::ftruncate(bundle->code.get(), 0), -1);
  EXPECT_EQ(::pwrite(bundle->code.get(), "x", 1, 0), -1);
}

TEST(Compiler, names_what_it_refuses) {
  const auto refusal = [](const Bytes& module) {
    const auto bundle = compile(module, named("refused"));
    EXPECT_FALSE(bundle);
    if (bundle) return std::string();
    EXPECT_EQ(bundle.error().reason, Reason::refused);
    return bundle.error().sentence;
  };
  EXPECT_THAT(refusal({}), HasSubstr("not a WebAssembly module"));
  EXPECT_THAT(refusal({'h', 'i'}), HasSubstr("not a WebAssembly module"));
  EXPECT_THAT(refusal(wasm_from_text("(component)")), HasSubstr("components come later"));
  EXPECT_THAT(
      refusal(wasm_from_text(R"((module (memory (export "memory") i64 1) (func (export "_start"))))")),
      HasSubstr("memory64"));
  EXPECT_THAT(refusal(command("(memory 1)")), HasSubstr("multi-memory"));
  EXPECT_THAT(
      refusal(wasm_from_text(R"((module (memory (export "memory") 1 2 shared) (func (export "_start"))))")),
      HasSubstr("shared memory"));
  EXPECT_THAT(refusal(wasm_from_text(R"((module (import "env" "f" (func)) (memory (export "memory") 1)))")),
              HasSubstr("unknown import env.f"));
  EXPECT_THAT(refusal(wasm_from_text(R"((module (memory (export "memory") 1)))")),
              HasSubstr("no entry point"));
}

TEST(Compiler, knows_every_preview1_function_by_its_signature) {
  const std::string import = R"((import "wasi_snapshot_preview1" )";
  EXPECT_TRUE(
      compile(wasm_from_text("(module " + import + R"("fd_seek" (func (param i32 i64 i32 i32) (result i32)))
                                     (memory (export "memory") 1) (func (export "_start"))))"),
              named("seek")));
  const auto wrong =
      compile(wasm_from_text("(module " + import + R"("fd_seek" (func (param i32 i32) (result i32)))
                                             (memory (export "memory") 1) (func (export "_start"))))"),
              named("seek"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().sentence, HasSubstr("iIii:i"));
}

TEST(Compiler, refuses_a_larger_initial_memory_than_allowed) {
  CompileOptions options = named("large");
  options.memory_bytes_max = 65'536;
  EXPECT_TRUE(compile(command(), options));
  options.memory_bytes_max = 65'535;
  const auto bundle = compile(command(), options);
  ASSERT_FALSE(bundle);
  EXPECT_THAT(bundle.error().sentence, HasSubstr("more than the limit of 65535"));
}

TEST(Compiler, keeps_a_name_that_is_not_utf8_from_ending_the_child) {
  const auto bundle = compile(command(), named("\xff\xfe"));
  EXPECT_TRUE(bundle) << bundle.error().sentence;
}

TEST(CompileBomb, ends_at_its_cpu_limit) {
  CompileOptions options = named("slow");
  options.limits.cpu = 1s;
  const auto bundle = compile(slow_module(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::cpu);
  EXPECT_THAT(bundle.error().sentence, HasSubstr("limit is 1 s of CPU time"));
}

TEST(CompileBomb, ends_at_its_wall_limit) {
  CompileOptions options = named("slow");
  options.limits.wall = 200ms;
  const auto begin = std::chrono::steady_clock::now();
  const auto bundle = compile(slow_module(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::wall);
  EXPECT_THAT(bundle.error().sentence, HasSubstr("limit is 200 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(CompileBomb, ends_at_its_memory_limit) {
  CompileOptions options = named("greedy");
  options.limits.address_space_bytes = 1ull << 30;
  const auto bundle = compile(greedy_module(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::memory) << bundle.error().sentence;
  EXPECT_THAT(bundle.error().sentence, HasSubstr("limit is 1073741824 bytes"));
}

TEST(CompileBomb, ends_at_its_output_limit) {
  CompileOptions options = named("wide");
  options.limits.output_bytes = 1000;
  const auto bundle = compile(command(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::output);
  EXPECT_THAT(bundle.error().sentence, HasSubstr("limit of 1000 bytes"));
}

TEST(CompileBomb, deep_nesting_and_many_locals_end_somehow_and_with_a_sentence) {
  Bytes nested;
  for (int i = 0; i < 200'000; ++i) nested.insert(nested.end(), {0x02, 0x40});
  nested.insert(nested.end(), 200'000, 0x0b);
  CompileOptions options = named("deep");
  options.limits.cpu = 5s;
  for (const Bytes& module : {command_with_body(0, nested), command_with_body(50'000, {}, 100)}) {
    const auto bundle = compile(module, options);
    if (!bundle) {
      EXPECT_FALSE(bundle.error().sentence.empty());
    }
  }
  const auto too_many = compile(command_with_body(50'001, {}), named("locals"));
  ASSERT_FALSE(too_many);
  EXPECT_THAT(too_many.error().sentence, HasSubstr("locals"));
}

TEST(Compilation, is_pollable_and_never_blocks) {
  auto compilation = Compilation::start(slow_module(), named("slow"));
  ASSERT_TRUE(compilation) << compilation.error().sentence;
  EXPECT_FALSE(compilation->poll());
  auto quick = Compilation::start(command(), named("quick"));
  ASSERT_TRUE(quick) << quick.error().sentence;
  pollfd ready{quick->pollable(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 30'000), 1);
  const auto result = quick->poll();
  ASSERT_TRUE(result);
  EXPECT_TRUE(*result) << result->error().sentence;
  EXPECT_FALSE(compilation->poll());  // one child does not wait for the other
}

TEST(Compilation, takes_its_child_along_when_it_is_dropped) {
  {
    const auto compilation = Compilation::start(slow_module(), named("slow"));
    ASSERT_TRUE(compilation);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), 0);  // it is there
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Compilation, many_at_once_each_get_their_own_result) {
  std::vector<Compilation> running;
  std::vector<Bytes> modules;
  for (int i = 0; i < 8; ++i) {
    modules.push_back(command("(data (i32.const 0) \"" + std::string(1, static_cast<char>('a' + i)) + "\")"));
    auto started = Compilation::start(modules.back(), named("n" + std::to_string(i)));
    ASSERT_TRUE(started);
    running.push_back(std::move(*started));
  }
  for (std::size_t i = 0; i < running.size(); ++i) {
    const auto bundle = running[i].wait();
    ASSERT_TRUE(bundle) << bundle.error().sentence;
    EXPECT_EQ(bundle->manifest.module_digest, sha256_hex(modules[i]));
  }
}

TEST(Compilation, without_a_program_to_start_there_is_an_error) {
  CompileOptions options = named("none");
  options.executable = "/nonexistent/tollgate";
  const auto bundle = compile(command(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::system);
  EXPECT_THAT(bundle.error().sentence, HasSubstr("No such file"));
}

TEST(Compilation, a_child_that_answers_nonsense_is_not_believed) {
  CompileOptions options = named("liar");
  options.executable = "/bin/true";
  const auto bundle = compile(command(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().reason, Reason::system);
}

TEST(CompilerChild, started_by_hand_it_says_so) {
  const char* const arguments[] = {"tollgate", compile_module_command};
  EXPECT_EQ(compiler_child_main(2, arguments), compile_exit_system);
}

TEST(EngineFingerprint, is_the_same_twice_and_names_the_engine) {
  const auto first = engine_fingerprint();
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(*first, engine_fingerprint().value());
  EXPECT_THAT(*first, HasSubstr("wasmtime-" WASMTIME_VERSION "-"));
}

TEST(EngineFingerprint, does_not_depend_on_where_memories_and_stacks_come_from) {
  tollgate_host_t host{};
  host.new_memory = [](void*, std::size_t, void**) -> std::uint8_t* { return nullptr; };
  host.new_stack = [](void*, std::size_t, void**) -> std::uint8_t* { return nullptr; };
  const tollgate_engine_options_t options{&host, 256u << 10, 512u << 10};
  wasmtime_error_t* error = nullptr;
  const EngineHandle engine(tollgate_engine_new(TOLLGATE_ENGINE_HOT_SET, &options, &error));
  ASSERT_EQ(take_text(error), "");
  EXPECT_EQ(fingerprint_of(*engine), engine_fingerprint().value());
}

}  // namespace
}  // namespace tollgate::sandbox
