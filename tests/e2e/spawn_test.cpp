// A process per request, end to end: answers, every way a program can go wrong, and nothing left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/support/command_process.hpp"
#include "tests/support/engine_commands.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sanitizer.hpp"
#include "tests/support/spawned.hpp"

namespace tollgate::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

const std::string mixed_routes = spawn_route("/cat", "\"cat\"") + shell("/exit", "echo no >&2; exit 3") +
                                 shell("/trap", "kill -SEGV $$") + shell("/nothing", "exit 0") +
                                 shell("/garbage", "head -c 3000 /dev/urandom", "") +
                                 spawn_route("/flood", "\"head\", \"-c\", \"1G\", \"/dev/zero\"") +
                                 shell("/never", "trap '' TERM; (setsid sleep 7777.1 &); sleep 7777.1",
                                       "abi = \"stdio\"\nlimits = { deadline = \"150ms\" }") +
                                 shell("/grandchild", "(setsid sleep 7777.2 &); echo done");

TEST(Spawn, answers_by_stdio_with_the_body_on_stdin) {
  const auto gateway = GatewayProcess::with_config(one_worker + spawn_route("/cat", "\"cat\""));
  EXPECT_EQ(request(gateway.port(), "POST", "/cat", "body").body, "body");
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(request(gateway.port(), "POST", "/cat", large).body, large);
}

TEST(Spawn, answers_by_cgi_with_the_request_in_the_environment_and_no_query_words) {
  const auto gateway = GatewayProcess::with_config(
      one_worker +
      shell(
          "/cgi/*",
          R"(printf 'Status: 201\nX-Own: yes\n\n'; echo "$REQUEST_METHOD $PATH_INFO $QUERY_STRING $MODE $# $HOME")",
          "env = { MODE = \"m\" }"));
  const Response response = get(gateway.port(), "/cgi/a?word");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.field("x-own"), "yes");
  EXPECT_EQ(response.body, "GET /a word m 0 \n");
}

TEST(Spawn, transforms_what_another_backend_says) {
  const auto gateway = GatewayProcess::with_config(
      one_worker +
      "[[route]]\npath = \"/\"\nnative = \"hello\"\ntransform = { spawn = [\"sed\", \"s/^/wasm:/\"] }\n");
  EXPECT_EQ(get(gateway.port(), "/").body, "wasm:hello");
}

TEST(Spawn, each_bad_program_has_its_status_and_the_next_request_is_right) {
  const auto gateway = GatewayProcess::with_config(one_worker + "access_log = \"stderr\"\n" + mixed_routes);
  const auto fails = [&](const std::string& path, int status, const std::string& reason) {
    const Response response = get(gateway.port(), path);
    EXPECT_EQ(response.status, status) << path;
    EXPECT_EQ(response.field("x-tollgate-error"), reason) << path;
    EXPECT_EQ(request(gateway.port(), "POST", "/cat", "next").body, "next") << path;
  };
  fails("/exit", 500, "exit");
  fails("/trap", 500, "trap");
  fails("/garbage", 502, "response");
  fails("/flood", 502, "output");
  fails("/never", 504, "deadline");
  EXPECT_EQ(get(gateway.port(), "/nothing").body, "");
  EXPECT_EQ(get(gateway.port(), "/grandchild").body, "done\n");
  EXPECT_TRUE(all_gone("7777.1"));
  EXPECT_TRUE(all_gone("7777.2"));
  EXPECT_TRUE(gateway.wait_for_log("ended with exit code 3"));
  EXPECT_TRUE(gateway.wait_for_log("raise the route's limit `output`"));
}

TEST(Spawn, a_program_that_vanishes_or_cannot_be_executed_is_502_with_cause_and_remedy) {
  const TempDir folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  const std::string program = folder.write("program", "#!/bin/sh\necho here\n");
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  const auto gateway = GatewayProcess::with_config(one_worker + "access_log = \"stderr\"\n" +
                                                   spawn_route("/p", "\"" + program + "\""));
  EXPECT_EQ(get(gateway.port(), "/p").body, "here\n");
  ASSERT_EQ(chmod(program.c_str(), 0644), 0);
  EXPECT_EQ(get(gateway.port(), "/p").field("x-tollgate-error"), "spawn");
  EXPECT_TRUE(gateway.wait_for_log("cannot be started: Permission denied"));
  std::filesystem::remove(program);
  EXPECT_EQ(get(gateway.port(), "/p").status, 502);
  EXPECT_TRUE(gateway.wait_for_log("cannot be started: No such file or directory"));
}

TEST(Spawn, a_program_that_is_not_there_or_not_executable_fails_the_load) {
  const TempDir folder;
  const std::string plain = folder.write("plain", "text");
  for (const std::string& name : {std::string("no-such-program"), std::string("/no/such/program"), plain}) {
    const std::string file = folder.write("t.toml", one_worker + spawn_route("/", "\"" + name + "\""));
    const Exit exit = run_tollgate({"serve", "--config", file});
    EXPECT_EQ(exit.code, 1);
    EXPECT_THAT(exit.err, HasSubstr("spawn: found \"" + name + "\", expected a program"));
  }
}

TEST(Spawn, what_cannot_be_a_program_fails_the_load_with_what_to_write_instead) {
  const TempDir folder;
  const auto refused = [&](const std::string& lines, const std::string& why) {
    const std::string file = folder.write("t.toml", one_worker + "[[route]]\npath = \"/\"\n" + lines + "\n");
    const Exit exit = run_tollgate({"serve", "--config", file});
    EXPECT_EQ(exit.code, 1);
    EXPECT_THAT(exit.err, HasSubstr(why));
  };
  refused("spawn = [\"/tmp\"]", "/tmp is a directory: name a file in it");
  refused("spawn = [\"/dev/null\"]", "/dev/null is no file: name one");
  refused("spawn = \"cat -n\"", "no shell takes it apart, write [\"prog\", \"arg\"]");
  refused("spawn = [\"cat\"]\nenv = { TOLLGATE_SPAWN_RUN = \"1\" }",
          "env: found \"TOLLGATE_SPAWN_RUN\", expected another name");
  refused("spawn = [\"cat\", \"" + std::string(200'000, 'x') + "\"]", "131072 are allowed");
}

TEST(Spawn, a_program_on_a_path_that_only_root_may_enter_fails_the_load_with_the_one_to_name) {
  if (geteuid() != 0) GTEST_SKIP() << "programs run as our own user";
  const TempDir folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0700), 0);
  const std::string program = folder.write("cat", "#!/bin/sh\n");
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  const std::string file = folder.write("t.toml", one_worker + spawn_route("/", "\"cat\""));
  const Exit exit =
      run_tollgate({"serve", "--config", file}, {{"PATH", folder.path().string() + ":/usr/bin:/bin"}});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err, HasSubstr("name /usr/bin/cat instead, or name another user"));
}

TEST(Spawn, a_program_that_only_our_own_group_may_execute_fails_the_load) {
  if (geteuid() != 0) GTEST_SKIP() << "programs run as our own user";
  const TempDir folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  const std::string program = folder.write("program", "#!/bin/sh\n");
  ASSERT_EQ(chmod(program.c_str(), 0750), 0);
  const std::string file = folder.write("t.toml", one_worker + spawn_route("/", "\"" + program + "\""));
  CommandProcess exit({"setpriv", "--groups", "0", TOLLGATE_BINARY, "serve", "--config", file});
  EXPECT_EQ(exit.wait(std::chrono::seconds(10)).code, 1);
  EXPECT_THAT(exit.err(), HasSubstr("may not execute it (Permission denied)"));
}

TEST(Spawn, the_log_says_unasked_which_limit_a_program_met_and_how_to_raise_it) {
  const auto gateway = GatewayProcess::with_config(
      one_worker +
      spawn_route("/late", "\"sleep\", \"7777.4\"", "abi = \"stdio\"\nlimits = { deadline = \"100ms\" }") +
      spawn_route("/long", "\"head\", \"-c\", \"4096\", \"/dev/zero\"",
                  "abi = \"stdio\"\nlimits = { response = 4095 }\ntransform = { spawn = [\"cat\"] }"));
  EXPECT_EQ(get(gateway.port(), "/late").status, 504);
  EXPECT_TRUE(gateway.wait_for_log("sleep had not ended in time; raise the route's limit `deadline`"));
  EXPECT_EQ(get(gateway.port(), "/long").status, 502);
  EXPECT_TRUE(gateway.wait_for_log("has more than 4095 bytes; raise the route's limit `response`"));
}

TEST(Spawn, a_client_that_goes_away_takes_the_program_with_it) {
  const auto gateway = GatewayProcess::with_config(one_worker + shell("/sleep", "sleep 7777.3"));
  {
    Connection connection(gateway.port());
    connection.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(eventually([] { return processes_with("7777.3") > 0; }));
  }
  EXPECT_TRUE(all_gone("7777.3"));
}

TEST(Spawn, beyond_concurrent_and_queue_is_503) {
  const TempDir folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);  // for the worker's user
  const std::string go_on = folder.path() / "go_on";
  const auto gateway = GatewayProcess::with_config(
      one_worker + shell("/slow", "while [ ! -e " + go_on + " ]; do sleep 0.02; done",
                         "abi = \"stdio\"\nlimits = { concurrent = 1, queue = 0, deadline = \"10s\" }"));
  Connection first(gateway.port());
  first.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return processes_with(go_on) > 0; }));
  EXPECT_EQ(get(gateway.port(), "/slow").field("x-tollgate-error"), "capacity");
  folder.write("go_on", "");
  EXPECT_EQ(first.read_response().status, 200);
}

TEST(Spawn, a_spawner_that_dies_is_replaced) {
  const auto gateway = GatewayProcess::with_config(one_worker + spawn_route("/cat", "\"cat\""));
  const pid_t spawner = child_named(gateway.pid(), "spawner");
  ASSERT_GT(spawner, 0);
  kill(spawner, SIGKILL);
  ASSERT_TRUE(gateway.wait_for_log("starting another"));
  EXPECT_EQ(request(gateway.port(), "POST", "/cat", "next").body, "next");  // it waits for the other
}

TEST(Spawn, the_spawner_has_the_workers_rights_and_ends_with_it) {
  auto gateway = GatewayProcess::with_config(one_worker + spawn_route("/cat", "\"cat\""));
  const pid_t spawner = child_named(gateway.pid(), "spawner");
  ASSERT_GT(spawner, 0);
  get(gateway.port(), "/cat");  // it has begun
  EXPECT_EQ(status_value(spawner, "NoNewPrivs"), "1");
  if (geteuid() == 0) {
    EXPECT_EQ(status_value(spawner, "Uid"), "65534\t65534\t65534\t65534");
  }
  EXPECT_TRUE(limit_row(spawner, "Max core file size").starts_with("0 "));
  gateway.signal(SIGTERM);
  EXPECT_EQ(gateway.wait().code, 0);
  EXPECT_TRUE(has_ended(spawner));
}

TEST(Spawn, thousands_of_mixed_requests_leave_everything_as_it_was) {
  const auto gateway = GatewayProcess::with_config(one_worker + mixed_routes);
  const std::string paths[] = {"/cat", "/exit", "/trap", "/nothing", "/garbage", "/grandchild"};
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::string path = i % 100 == 99 ? "/never" : paths[i % 6];
      try {
        get(gateway.port(), path);
      } catch (const std::exception& error) {
        FAIL() << path << ": " << error.what() << "; " << gateway.err();
      }
    }
  };
  some(200);
  const pid_t spawner = child_named(gateway.pid(), "spawner");
  // That a client's connection has ended may be noticed a moment later.
  const std::chrono::milliseconds moment(300);
  std::this_thread::sleep_for(moment);
  const ProcessFigures worker_before = figures_of(gateway.worker_pids().at(0));
  const ProcessFigures spawner_before = figures_of(spawner);
  some(2000);
  std::this_thread::sleep_for(moment);
  const ProcessFigures worker_after = figures_of(gateway.worker_pids().at(0));
  const ProcessFigures spawner_after = figures_of(spawner);
  EXPECT_EQ(worker_after.descriptors, worker_before.descriptors);
  EXPECT_EQ(spawner_after.descriptors, spawner_before.descriptors);
  EXPECT_LT(worker_after.memory_kib, worker_before.memory_kib + 1024 + sanitizer_quarantine_kib);
  EXPECT_LT(spawner_after.memory_kib, spawner_before.memory_kib + 1024 + sanitizer_quarantine_kib);
  EXPECT_TRUE(all_gone("7777."));
  EXPECT_EQ(child_named(spawner, ""), -1);
}

TEST(Spawn, outputs_of_many_megabytes_leave_the_worker_as_small_as_it_was) {
  const auto gateway = GatewayProcess::with_config(
      one_worker + spawn_route("/large", "\"head\", \"-c\", \"8000000\", \"/dev/zero\"", "abi = \"stdio\"") +
      spawn_route("/flood", "\"cat\", \"/dev/zero\"", "abi = \"stdio\""));
  const auto all_at_once = [&] {
    std::vector<std::thread> clients;
    for (int i = 0; i < 6; ++i) {
      clients.emplace_back([&, i] {
        const Response response = get(gateway.port(), i % 2 == 0 ? "/large" : "/flood");
        EXPECT_EQ(response.status, i % 2 == 0 ? 200 : 502);
      });
    }
    for (std::thread& client : clients) client.join();
  };
  EXPECT_EQ(get(gateway.port(), "/large").body.size(), 8'000'000u);
  const std::uint64_t before_kib = figures_of(gateway.worker_pids().at(0)).memory_kib;
  for (int i = 0; i < 4; ++i) all_at_once();
  EXPECT_TRUE(eventually([&] {
    return figures_of(gateway.worker_pids().at(0)).memory_kib < before_kib + 4096 + sanitizer_quarantine_kib;
  })) << before_kib;
}

struct Engine {
  const char* runtime;
  const char* mode;
};

class EngineCommand : public ::testing::TestWithParam<Engine> {};

TEST_P(EngineCommand, runs_a_module_as_handler_by_cgi_and_as_transform) {
  const std::string lines = std::string("runtime = \"") + GetParam().runtime + "\"\nmode = \"" +
                            GetParam().mode + "\"\nlimits = { cpu = \"10s\", deadline = \"10s\" }\n";
  if (installed_engine(GetParam().runtime).empty())
    GTEST_SKIP() << "no " << GetParam().runtime << " here: ./dev " << GetParam().runtime;
  const auto gateway = GatewayProcess::with_config(
      one_worker + "access_log = \"stderr\"\n" +
      wasm_route("/cgi/*", "hello_cgi_c", "env = { MODE = \"m m\" }\n" + lines) +
      "[[route]]\npath = \"/\"\nnative = \"hello\"\n" + "transform = \"" + guest("gateway_wasm_c") + "\"\n" +
      lines + wasm_route("/trap", "bad/unreachable", lines));
  EXPECT_EQ(get(gateway.port(), "/").body, "wasm:hello");
  const Response cgi = request(gateway.port(), "POST", "/cgi/x?a=b", "body");
  EXPECT_EQ(cgi.status, 200);
  EXPECT_THAT(cgi.body, HasSubstr("MODE=m m"));
  EXPECT_THAT(cgi.body, HasSubstr("QUERY_STRING=a=b"));
  EXPECT_THAT(cgi.body, HasSubstr("body"));
  const Response trap = get(gateway.port(), "/trap");
  EXPECT_EQ(trap.status, 500);
  EXPECT_EQ(trap.field("x-tollgate-error"), "trap");
  EXPECT_TRUE(gateway.wait_for_log(std::string(GetParam().runtime) + " with /"));
  EXPECT_TRUE(gateway.wait_for_log("unreachable"));
}

INSTANTIATE_TEST_SUITE_P(Spawn, EngineCommand,
                         ::testing::Values(Engine{"wasmtime", "aot"}, Engine{"wasmtime", "jit"},
                                           Engine{"wasmedge", "aot"}, Engine{"wasmedge", "jit"},
                                           Engine{"wasmedge", "interpreter"}),
                         [](const auto& entry) {
                           return std::string(entry.param.runtime) + "_" + entry.param.mode;
                         });

TEST(EngineCommandLine, a_module_that_is_none_fails_the_load_with_its_name) {
  const TempDir folder;
  folder.write("a.wasm",
               "\x7f"
               "ELF not wasm");
  const std::string file = folder.write(
      "t.toml", one_worker + "runtime = \"wasmtime\"\n[[route]]\npath = \"/\"\nwasm = \"a.wasm\"\n");
  const Exit exit = run_tollgate({"serve", "--config", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_THAT(exit.err,
              AnyOf(HasSubstr("a.wasm is no WebAssembly module"), HasSubstr("there is no wasmtime")));
}

}  // namespace
}  // namespace tollgate::testing
