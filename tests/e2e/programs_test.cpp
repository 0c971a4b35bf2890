// From modules to programs: the cache, files of compiled code, refusals, and compile bombs beside a gateway
// that serves.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "tests/support/answer_table.hpp"
#include "tests/support/background_load.hpp"
#include "tests/support/command_process.hpp"
#include "tests/support/compile_bombs.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string guest = TOLLGATE_GUESTS_DIR "/gateway_wasm_c.wasm";  // "wasm:" before what it reads

class Programs : public ::testing::Test {
 protected:
  GatewayProcess serve(const std::string& module, std::vector<std::string> more = {}) const {
    ServeOptions options;
    options.environment["XDG_CACHE_HOME"] = cache_.path();
    options.arguments = {module, "--abi", "stdio", "--listen", "127.0.0.1:0", "--workers", "1"};
    options.arguments.insert(options.arguments.end(), more.begin(), more.end());
    return GatewayProcess::with_arguments(std::move(options));
  }

  fs::path folder() const { return cache_.path() / "tollgate/programs"; }
  fs::path only_entry() const {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(folder())) entries.push_back(entry.path());
    EXPECT_EQ(entries.size(), 1u);
    return entries.at(0);
  }
  static ino_t inode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_ino;
  }

  std::string write(const std::string& name, const ModuleBytes& module) const {
    return work_.write(name, std::string(module.begin(), module.end()));
  }

  TempDir cache_;
  TempDir work_;
};

TEST_F(Programs, are_kept_in_a_private_folder_and_found_again) {
  {
    EXPECT_EQ(get(serve(guest).port(), "/").body, "wasm:");
  }
  struct stat status{};
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  const auto entry = only_entry();
  const auto first = inode(entry);
  {
    EXPECT_EQ(get(serve(guest).port(), "/").body, "wasm:");
  }
  EXPECT_EQ(inode(only_entry()), first);
}

TEST_F(Programs, of_gateways_that_start_at_once_are_one_entry) {
  std::vector<std::future<GatewayProcess>> starts;
  for (int i = 0; i < 4; ++i)
    starts.push_back(std::async(std::launch::async, [this] { return serve(guest); }));
  for (auto& start : starts) {
    const GatewayProcess gateway = start.get();
    EXPECT_EQ(get(gateway.port(), "/").body, "wasm:");
    EXPECT_THAT(gateway.err(), Not(HasSubstr("warning")));
  }
  (void)only_entry();
}

TEST_F(Programs, damaged_in_the_cache_are_compiled_again) {
  {
    (void)serve(guest);
  }
  const auto entry = only_entry();
  const auto size = fs::file_size(entry);
  fs::resize_file(entry, 5000);
  {
    EXPECT_EQ(get(serve(guest).port(), "/").body, "wasm:");
  }
  EXPECT_EQ(fs::file_size(entry), size);
  {
    std::fstream file(entry, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2000);
    file.write("flipped", 7);
  }
  {
    EXPECT_EQ(get(serve(guest).port(), "/").body, "wasm:");
  }
  const std::string repaired = read_file(entry);
  EXPECT_NE(repaired.substr(2000, 7), "flipped");
}

TEST_F(Programs, are_not_taken_from_a_folder_that_others_can_reach) {
  {
    (void)serve(guest);
  }
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  const auto gateway = serve(guest);
  EXPECT_EQ(get(gateway.port(), "/").body, "wasm:");
  EXPECT_THAT(gateway.err(), HasSubstr("lets others in"));
}

TEST_F(Programs, a_configured_cache_folder_that_is_not_ours_fails_the_start) {
  const auto shared = work_.path() / "shared";
  fs::create_directory(shared);
  ASSERT_EQ(::chmod(shared.c_str(), 0777), 0);
  const auto config =
      work_.write("t.toml", fmt::format("listen = \"127.0.0.1:0\"\ncache = \"{}\"\n[[route]]\n"
                                        "path = \"/*\"\nwasm = \"{}\"\n",
                                        shared.string(), guest));
  const Exit exit = run_tollgate({"serve", "--config", config});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("lets others in"));
}

TEST_F(Programs, compiled_ahead_of_time_are_served_when_they_are_trusted) {
  const std::string compiled = work_.path() / "guest.cwasm";
  const Exit compile = run_tollgate({"compile", guest, "-o", compiled});
  ASSERT_EQ(compile.code, 0) << compile.err;
  EXPECT_THAT(compile.out, HasSubstr("entry   _start"));
  EXPECT_THAT(compile.out, HasSubstr("engine  wasmtime-"));
  const Exit refused = run_tollgate({"serve", compiled, "--listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--trust-precompiled"));
  EXPECT_EQ(get(serve(compiled, {"--trust-precompiled"}).port(), "/").body, "wasm:");
}

TEST_F(Programs, that_cannot_run_here_are_refused_with_their_path_and_the_reason) {
  const std::string component = work_.write("c.wasm", std::string("\0asm\x0d\0\1\0", 8));
  for (const char* command : {"compile", "serve"}) {
    const Exit exit = run_tollgate({command, component});
    EXPECT_EQ(exit.code, 1);
    EXPECT_THAT(exit.err, HasSubstr(component));
    EXPECT_THAT(exit.err, HasSubstr("components come later"));
    EXPECT_EQ(exit.out, "");
  }
}

TEST_F(Programs, that_are_folders_are_refused_with_a_sentence) {
  const Exit exit = run_tollgate({"compile", "/"});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("cannot be read: Is a directory"));
}

TEST_F(Programs, are_compiled_within_lower_limits_that_the_gateway_was_started_with) {
  const std::string compiled = work_.path() / "guest.cwasm";
  CommandProcess command({"bash", "-c",
                          fmt::format("ulimit -v 1500000; ulimit -t 50; exec {} compile {} -o {}",
                                      TOLLGATE_BINARY, guest, compiled)});
  EXPECT_EQ(command.wait(std::chrono::seconds(30)).code, 0) << command.err();
}

TEST_F(Programs, a_compile_bomb_ends_at_its_limit_with_a_sentence) {
  const Exit slow = run_tollgate({"compile", write("slow.wasm", slow_module()), "--max-cpu", "1"});
  EXPECT_EQ(slow.code, 1);
  EXPECT_THAT(slow.err, HasSubstr("the limit is 1 s of CPU time"));
  EXPECT_THAT(slow.err, HasSubstr("--max-cpu"));
  const Exit greedy = run_tollgate({"compile", write("greedy.wasm", greedy_module()), "--max-memory", "512"});
  EXPECT_EQ(greedy.code, 1);
  EXPECT_THAT(greedy.err, HasSubstr("takes too much memory to compile"));
}

TEST_F(Programs, a_gateway_that_is_to_load_a_compile_bomb_serves_on) {
  ServeOptions options;
  options.environment["XDG_CACHE_HOME"] = cache_.path();
  const auto gateway = GatewayProcess::with_config(answer_table("old"), options);
  BackgroundLoad load(gateway.port(), "/answer", 4);
  ASSERT_TRUE(load.wait_for_answers(100));
  const std::string bomb = write("greedy.wasm", greedy_module());
  gateway.rewrite_config(
      answer_table("old", 2, fmt::format("[[route]]\npath = \"/bomb\"\nwasm = \"{}\"\n", bomb)));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("to compile: the limit is", std::chrono::seconds(40))) << gateway.err();
  EXPECT_THAT(gateway.err(), HasSubstr(bomb));
  ASSERT_TRUE(load.wait_for_answers(100));
  const auto counts = load.stop();
  EXPECT_EQ(counts.lost, 0u);
  EXPECT_EQ(counts.refused, 0u);
  EXPECT_EQ(counts.answers.size(), 1u);  // the old table's, all of them
  EXPECT_EQ(get(gateway.port(), "/bomb").status, 404);
}

}  // namespace
}  // namespace tollgate::testing
