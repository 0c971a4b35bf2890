// Few connections are spread evenly over the workers, and none is lost on the way.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "tests/support/eventually.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

constexpr unsigned workers = 4;

std::string config(unsigned count) {
  return "listen = \"127.0.0.1:0\"\nworkers = " + std::to_string(count) +
         "\n[[route]]\npath = \"/hello\"\nnative = \"hello\"\n";
}

std::map<pid_t, std::size_t> sockets_of_workers(const GatewayProcess& gateway) {
  std::map<pid_t, std::size_t> sockets;
  for (const pid_t worker : gateway.worker_pids()) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(worker) + "/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with("socket:"))
        ++sockets[worker];
    }
  }
  return sockets;
}

void ask(Connection& connection) {
  connection.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.read_response().body, "hello");
}

// One after another, as a client's pool opens them: when one has an answer, its worker has counted it.
std::vector<Connection> open_connections(std::uint16_t port, int count) {
  std::vector<Connection> connections;
  for (int i = 0; i < count; ++i) ask(connections.emplace_back(port));
  return connections;
}

TEST(Siblings, have_as_many_of_few_connections_each) {
  const auto gateway = GatewayProcess::with_config(config(workers));
  const auto before = sockets_of_workers(gateway);
  std::vector<Connection> connections = open_connections(gateway.port(), 4 * workers);
  const auto after = sockets_of_workers(gateway);
  for (const auto& [worker, sockets] : after)
    EXPECT_EQ(sockets - before.at(worker), 4u) << "worker " << worker;
  for (Connection& connection : connections) ask(connection);
}

TEST(Siblings, share_with_one_that_was_started_again) {
  const auto gateway = GatewayProcess::with_config(config(2));
  const std::vector<pid_t> first = gateway.worker_pids();
  kill(first.at(0), SIGKILL);
  ASSERT_TRUE(
      eventually([&] { return gateway.worker_pids().size() == 2 && gateway.worker_pids() != first; }));
  ASSERT_TRUE(gateway.wait_for_log("starting another"));
  // It counts as one that takes connections as soon as it serves.
  ASSERT_TRUE(eventually([&] {
    const auto before = sockets_of_workers(gateway);
    const std::vector<Connection> connections = open_connections(gateway.port(), 8);
    const auto after = sockets_of_workers(gateway);
    for (const auto& [worker, sockets] : after) {
      const auto had = before.find(worker);
      if (had == before.end() || sockets - had->second != 4) return false;
    }
    return after.size() == 2;
  }));
}

// Connections are given away while workers come and go.
TEST(Siblings, lose_no_connection_while_workers_are_replaced) {
  const auto gateway = GatewayProcess::with_config(config(workers));
  for (int round = 0; round < 6; ++round) {
    const std::size_t logged = gateway.err().size();
    gateway.rewrite_config(config(round % 2 == 0 ? 2 : workers));
    gateway.signal(SIGHUP);
    do {
      for (const Connection& connection : open_connections(gateway.port(), 5)) EXPECT_GE(connection.fd(), 0);
    } while (!gateway.wait_for_log("reloaded", std::chrono::milliseconds(1), logged));
  }
}

}  // namespace
}  // namespace tollgate::testing
