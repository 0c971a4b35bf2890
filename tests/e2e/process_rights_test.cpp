// What a worker process may do, as the kernel sees it.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

#include "tests/support/command_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/spawned.hpp"

namespace tollgate::testing {
namespace {

constexpr const char* config = R"(
listen = "127.0.0.1:0"
workers = 1
[[route]]
path = "/hello"
native = "hello"
)";

TEST(WorkerRights, started_as_root_it_is_nobody_without_groups) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto gateway = GatewayProcess::with_config(config);
  const pid_t worker = gateway.worker_pids().at(0);
  EXPECT_EQ(status_value(worker, "Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(status_value(worker, "Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(status_value(worker, "Groups"), "");
  EXPECT_EQ(status_value(worker, "CapEff"), "0000000000000000");
}

TEST(WorkerRights, it_is_the_configured_user) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto gateway = GatewayProcess::with_config("user = \"daemon\"\n" + std::string(config));
  EXPECT_EQ(status_value(gateway.worker_pids().at(0), "Uid"), "1\t1\t1\t1");
}

TEST(WorkerRights, a_user_may_be_a_number_that_no_file_knows) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto one = GatewayProcess::with_config("user = \"12345\"\n" + std::string(config));
  EXPECT_EQ(status_value(one.worker_pids().at(0), "Gid"), "12345\t12345\t12345\t12345");
  const auto both = GatewayProcess::with_config("user = \"12345:100\"\n" + std::string(config));
  EXPECT_EQ(status_value(both.worker_pids().at(0), "Uid"), "12345\t12345\t12345\t12345");
  EXPECT_EQ(status_value(both.worker_pids().at(0), "Gid"), "100\t100\t100\t100");
}

TEST(WorkerRights, a_root_that_may_become_nobody_else_fails_the_start_with_a_remedy) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const TempDir folder;
  const std::string file = folder.write("tollgate.toml", config);
  CommandProcess gateway(
      {"setpriv", "--bounding-set=-setuid,-setgid", TOLLGATE_BINARY, "serve", "--config", file});
  const Exit exit = gateway.wait(std::chrono::seconds(10));
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("(docker run --user 65534:65534), or leave it CAP_SETUID and CAP_SETGID"),
            std::string::npos)
      << exit.err;
}

TEST(WorkerRights, a_user_that_does_not_exist_fails_the_start) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const TempDir folder;
  const std::string file = folder.write("tollgate.toml", "user = \"no-such-user\"\n" + std::string(config));
  const Exit exit = run_tollgate({"serve", "--config", file});
  EXPECT_EQ(exit.code, 1);
  EXPECT_NE(exit.err.find("no-such-user"), std::string::npos) << exit.err;
}

TEST(WorkerRights, it_gains_no_privileges_and_leaves_no_core) {
  const auto gateway = GatewayProcess::with_config(config);
  const pid_t worker = gateway.worker_pids().at(0);
  EXPECT_EQ(status_value(worker, "NoNewPrivs"), "1");
  EXPECT_TRUE(limit_row(worker, "Max core file size").starts_with("0 "))
      << limit_row(worker, "Max core file size");
  EXPECT_TRUE(limit_row(worker, "Max address space").starts_with("unlimited"));
}

TEST(WorkerRights, it_holds_no_descriptor_it_does_not_need) {
  const auto gateway = GatewayProcess::with_config(config);
  std::multiset<std::string> kinds;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(gateway.worker_pids().at(0)) + "/fd")) {
    std::string target = std::filesystem::read_symlink(entry.path());
    target = target.substr(0, target.find_first_of("[("));
    kinds.insert(target.starts_with(gateway.folder().path().string()) ? "log" : target);
  }
  // Standard input and output, the log twice (its own and the access log's), the channel and one listener,
  // and what the event loop is made of.
  const std::multiset<std::string> expected{"/dev/null",   "/dev/null",   "log",
                                            "log",         "socket:",     "socket:",
                                            "anon_inode:", "anon_inode:", "anon_inode:"};
  EXPECT_EQ(kinds, expected);
}

// The CPUs that the test, and so the gateway, may use, as /proc lists them.
unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  return static_cast<unsigned>(CPU_COUNT(&set));
}

std::string with_workers(unsigned workers, const std::string& more = {}) {
  return "listen = \"127.0.0.1:0\"\nworkers = " + std::to_string(workers) + "\n" + more +
         spawn_route("/status", "\"cat\", \"/proc/self/status\"");
}

TEST(WorkerCpus, as_many_workers_as_cpus_keep_to_one_each_and_their_programs_to_none) {
  const auto gateway = GatewayProcess::with_config(with_workers(usable_cpus()));
  std::set<std::string> kept_to;
  for (const pid_t worker : gateway.worker_pids()) kept_to.insert(status_value(worker, "Cpus_allowed_list"));
  EXPECT_EQ(kept_to.size(), usable_cpus());
  for (const std::string& cpus : kept_to) EXPECT_EQ(cpus.find_first_of(",-"), std::string::npos) << cpus;
  EXPECT_NE(get(gateway.port(), "/status")
                .body.find("Cpus_allowed_list:\t" + status_value(gateway.pid(), "Cpus_allowed_list") + "\n"),
            std::string::npos);
}

TEST(WorkerCpus, other_workers_and_those_that_are_not_to_keep_to_none) {
  for (const std::string& unpinned :
       {with_workers(usable_cpus() + 1), with_workers(usable_cpus(), "cpu_affinity = false\n")}) {
    const auto gateway = GatewayProcess::with_config(unpinned);
    EXPECT_EQ(status_value(gateway.worker_pids().at(0), "Cpus_allowed_list"),
              status_value(gateway.pid(), "Cpus_allowed_list"))
        << unpinned;
  }
}

TEST(WorkerCpus, a_reload_frees_them) {
  const auto gateway = GatewayProcess::with_config(with_workers(usable_cpus()));
  gateway.rewrite_config(with_workers(usable_cpus(), "cpu_affinity = false\n"));
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded"));
  EXPECT_TRUE(eventually([&] {
    const auto workers = gateway.worker_pids();
    return workers.size() == usable_cpus() && status_value(workers.at(0), "Cpus_allowed_list") ==
                                                  status_value(gateway.pid(), "Cpus_allowed_list");
  }));
}

TEST(WorkerRights, a_native_only_gateway_is_one_thread_a_process) {
  const auto gateway = GatewayProcess::with_config(config);
  EXPECT_EQ(status_value(gateway.pid(), "Threads"), "1");
  EXPECT_EQ(status_value(gateway.worker_pids().at(0), "Threads"), "1");
}

}  // namespace
}  // namespace tollgate::testing
