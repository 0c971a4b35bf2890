// The gateway study's five variants through its launcher, with one client; and what the launcher says when a
// variant cannot be served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/command_process.hpp"
#include "tests/support/engine_commands.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"
#include "tests/support/study_smoke.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

const std::string source = TOLLGATE_SOURCE_DIR;
// Building the image, starting an engine where none answers, and fetching nothing.
constexpr seconds start_limit{60};

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::uint16_t port_of(const CommandProcess& study) {
  const std::string marker = "listening on http://127.0.0.1:";
  const std::string out = study.out();
  return static_cast<std::uint16_t>(std::stoi(out.substr(out.find(marker) + marker.size())));
}

CommandProcess study(const std::vector<std::string>& arguments,
                     std::map<std::string, std::string> environment) {
  std::vector<std::string> command{source + "/tools/study"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  environment.emplace("TOLLGATE", TOLLGATE_BINARY);
  environment.emplace("LISTEN", "127.0.0.1:0");
  environment.emplace("WASM_MODULE_PATH", std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_c.wasm");
  return CommandProcess(command, environment);
}

std::string base_url(const GatewayProcess& upstream) {
  return "http://127.0.0.1:" + std::to_string(upstream.port()) + "/base";
}

#ifdef TOLLGATE_STATIC
constexpr bool is_static_build = true;
#else
constexpr bool is_static_build = false;  // needs shared libraries, and so cannot be alone in an image
#endif

struct Variant {
  const char* name;
  const char* header;
  const char* prefix;
  const char* engine;  // folder in the user's cache that its command line lies in, "" when it needs none
};

class StudyVariant : public ::testing::TestWithParam<Variant> {};

TEST_P(StudyVariant, answers_the_smoke_client) {
  const Variant& variant = GetParam();
  if (*variant.prefix != '\0' &&
      !std::filesystem::exists(std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_c.wasm"))
    GTEST_SKIP() << "the example guests are not built: guests/build";
  if (*variant.engine != '\0' && installed_engine(variant.engine).empty())
    GTEST_SKIP() << "no " << variant.engine << " here: ./dev " << variant.engine;
  const bool is_container = std::string(variant.name) == "native_docker";
  if (is_container && !is_static_build) GTEST_SKIP() << "this build is not static: the release preset's is";

  const auto upstream = GatewayProcess::with_config(study_upstream);
  const TempDir folder;
  auto launcher = study({variant.name, "--workers", "1"},
                        {{"UPSTREAM_URL", base_url(upstream)}, {"IMAGE_FOLDER", folder.path()}});
  if (!launcher.wait_for("listening on http://", start_limit)) {
    const Exit exit = launcher.wait(seconds(5));
    if (exit.code == exit_skip) GTEST_SKIP() << last_line(exit.err);
    FAIL() << variant.name << " did not start: " << exit.err;
  }
  study_smoke({port_of(launcher), variant.header, variant.prefix, base_url(upstream)});
  EXPECT_EQ(launcher.stop().code, 0);
  EXPECT_FALSE(launcher.has_leftovers());
}

INSTANTIATE_TEST_SUITE_P(Study, StudyVariant,
                         ::testing::Values(Variant{"native_local", "native", "", ""},
                                           Variant{"native_docker", "native", "", ""},
                                           Variant{"wasm_host_wasmtime_embedded", "wasm-host", "wasm:", ""},
                                           Variant{"wasm_host_wasmtime", "wasm-host", "wasm:", "wasmtime"},
                                           Variant{"wasm_host_cli", "wasm-host", "wasm:", "wasmedge"}),
                         [](const auto& entry) { return std::string(entry.param.name); });

std::string without_line(std::string text, const std::string& start) {
  const std::size_t at = text.find("\n" + start) + 1;
  return text.erase(at, text.find('\n', at) + 1 - at);
}

TEST(StudyFiles, of_the_wasm_variants_are_equal_but_for_the_runtime) {
  const std::string folder = source + "/examples/gateway-study/";
  const std::string embedded = read_file(folder + "wasm_host_wasmtime_embedded.toml");
  const std::string wasmtime = read_file(folder + "wasm_host_wasmtime.toml");
  const std::string cli = read_file(folder + "wasm_host_cli.toml");
  EXPECT_THAT(embedded, HasSubstr("\nruntime = \"${WASM_RUNTIME:-wasmtime_embedded}\"\n"));
  EXPECT_THAT(wasmtime, HasSubstr("\nruntime = \"${WASM_RUNTIME:-wasmtime}\"\n"));
  EXPECT_THAT(cli, HasSubstr("\nruntime = \"${WASM_RUNTIME:-wasmedge}\"\n"));
  EXPECT_EQ(without_line(embedded, "runtime"), without_line(wasmtime, "runtime"));
  EXPECT_EQ(without_line(embedded, "runtime"), without_line(cli, "runtime"));
}

TEST(StudyFiles, of_the_native_variants_are_one_file) {
  const std::string folder = source + "/examples/gateway-study/";
  EXPECT_EQ(read_file(folder + "native_docker.toml"), read_file(folder + "native_local.toml"));
}

TEST(StudyLauncher, starts_an_upstream_that_answers_ok_and_ends_it) {
  auto launcher = study({"native_local"}, {{"UPSTREAM_LISTEN", "127.0.0.1:0"}});
  ASSERT_TRUE(launcher.wait_for("listening on http://", start_limit)) << launcher.err();
  EXPECT_EQ(get(port_of(launcher), "/any").body, "ok");
  EXPECT_EQ(launcher.stop().code, 0);
  EXPECT_FALSE(launcher.has_leftovers());
}

TEST(StudyLauncher, takes_a_module_relative_to_who_asks) {
  const std::string module = std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_c.wasm";
  if (!std::filesystem::exists(module)) GTEST_SKIP() << "the example guests are not built: guests/build";
  auto launcher = study({"wasm_host_wasmtime_embedded"},
                        {{"UPSTREAM_LISTEN", "127.0.0.1:0"},
                         {"WASM_MODULE_PATH", std::filesystem::proximate(module).string()}});
  ASSERT_TRUE(launcher.wait_for("listening on http://", start_limit)) << launcher.err();
  EXPECT_EQ(get(port_of(launcher), "/any").body, "wasm:ok");
}

TEST(StudyImage, is_never_taken_from_a_registry_by_the_compose_file) {
  std::istringstream lines(read_file(source + "/deploy/compose.yaml"));
  int images = 0;
  int kept = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    image: ")) ++images;
    if (line.starts_with("    pull_policy: never")) ++kept;
  }
  EXPECT_EQ(images, 2);
  EXPECT_EQ(kept, images);
}

TEST(StudyLauncher, names_what_it_knows_when_asked_for_something_else) {
  Exit exit = study({"firecracker"}, {}).wait(seconds(10));
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err,
              HasSubstr("there is no variant \"firecracker\": expected native_local, native_docker"));
  exit = study({"wasm_host"}, {{"WASM_RUNTIME", "wasmer"}}).wait(seconds(10));
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("found \"wasmer\", expected wasmedge, wasmtime or wasmtime_embedded"));
}

TEST(StudyLauncher, says_that_a_port_is_taken_and_leaves_nothing) {
  const auto holder = GatewayProcess::with_config(study_upstream);
  const std::string taken = "127.0.0.1:" + std::to_string(holder.port());
  auto gateway = study({"native_local"}, {{"LISTEN", taken}, {"UPSTREAM_LISTEN", "127.0.0.1:0"}});
  Exit exit = gateway.wait(seconds(20));
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err,
              HasSubstr(taken + ": another process (perhaps another tollgate) listens there already"));
  EXPECT_THAT(exit.err, HasSubstr("LISTEN=ADDRESS:PORT moves it"));
  EXPECT_FALSE(gateway.has_leftovers());

  auto upstream = study({"native_local"}, {{"UPSTREAM_LISTEN", taken}});
  exit = upstream.wait(seconds(20));
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("the upstream ended: see above. UPSTREAM_URL uses a server that is there"));
  EXPECT_FALSE(upstream.has_leftovers());
  EXPECT_EQ(get(holder.port(), "/base/ok", {{"Host", "127.0.0.1"}}).status, 200);
}

TEST(StudyLauncher, says_that_there_is_no_engine_and_how_to_get_one) {
  // Neither an engine that answers nor one that could be started.
  auto launcher =
      study({"native_docker"}, {{"DOCKER_HOST", "unix:///no/such/engine"}, {"PATH", "/usr/bin:/bin"}});
  const Exit exit = launcher.wait(seconds(20));
  if (std::filesystem::exists("/usr/bin/dockerd") || std::filesystem::exists("/bin/dockerd"))
    GTEST_SKIP() << "dockerd is on the shortest PATH: it would be started";
  EXPECT_EQ(exit.code, exit_skip);
  EXPECT_THAT(exit.err, HasSubstr("no Docker engine: "));
  EXPECT_THAT(exit.err, HasSubstr("apt-get install docker.io"));
  EXPECT_FALSE(launcher.has_leftovers());
}

TEST(StudyLauncher, says_that_an_image_does_not_exist_and_leaves_nothing) {
  auto launcher =
      study({"native_docker"}, {{"IMAGE", "tollgate-never-built"}, {"UPSTREAM_LISTEN", "127.0.0.1:0"}});
  const Exit exit = launcher.wait(start_limit);
  if (exit.code == exit_skip) GTEST_SKIP() << last_line(exit.err);
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("the engine has no image \"tollgate-never-built\": deploy/image/build"));
  EXPECT_FALSE(launcher.has_leftovers());
}

TEST(StudyImage, is_the_same_bytes_each_time_and_holds_only_the_gateway) {
  if (!is_static_build) GTEST_SKIP() << "this build is not static: the release preset's is";
  const TempDir folder;
  std::string images[2];
  for (std::string& image : images) {
    CommandProcess build({source + "/deploy/image/build", "tollgate-image-test"},
                         {{"TOLLGATE", TOLLGATE_BINARY},
                          {"IMAGE_FOLDER", folder.path()},
                          {"DOCKER_HOST", "unix:///no/such/engine"}});
    const Exit exit = build.wait(start_limit);
    ASSERT_EQ(exit.code, 0) << exit.err;
    image = read_file(folder.path() / "tollgate.tar");
  }
  EXPECT_TRUE(images[0] == images[1]);
  EXPECT_LE(images[0].size(), 15'000'000u);
}

TEST(StudyImage, serves_a_module_that_is_mounted_into_it) {
  if (!is_static_build) GTEST_SKIP() << "this build is not static: the release preset's is";
  const std::string module = std::string(TOLLGATE_GUESTS_DIR) + "/gateway_wasm_c.wasm";
  if (!std::filesystem::exists(module)) GTEST_SKIP() << "the example guests are not built: guests/build";
  const TempDir folder;
  CommandProcess container({source + "/tools/with-docker", "bash", "-c",
                            "\"$0/deploy/image/build\" tollgate-module-test >&2 && exec docker run --rm "
                            "--network host --volume \"$1:/h.wasm:ro\" "
                            "tollgate-module-test serve /h.wasm --abi stdio --listen 127.0.0.1:0 --workers 1",
                            source, module},
                           {{"TOLLGATE", TOLLGATE_BINARY}, {"IMAGE_FOLDER", folder.path()}});
  if (!container.wait_for("listening on http://", start_limit)) {
    const Exit exit = container.wait(seconds(5));
    if (exit.code == exit_skip) GTEST_SKIP() << last_line(exit.err);
    FAIL() << exit.err;
  }
  EXPECT_EQ(request(port_of(container), "POST", "/", "mounted").body, "wasm:mounted");
  EXPECT_EQ(container.stop().code, 0);
  EXPECT_FALSE(container.has_leftovers());
}

}  // namespace
}  // namespace tollgate::testing
