// The edge as the real binary has it: strictness after a good request, 100-continue, limits.
// The whole tables, at every split point, are http_test's.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/command_process.hpp"
#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/read_file.hpp"

namespace tollgate::testing {
namespace {

const std::string echo =
    "listen = \"127.0.0.1:0\"\nworkers = 1\n[[route]]\npath = \"/*\"\nnative = \"echo\"\nlimits = { body = "
    "\"8B\" }\n";
const std::string good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Hostile {
  const char* request;
  int status;
};

class Strictness : public ::testing::TestWithParam<Hostile> {};
INSTANTIATE_TEST_SUITE_P(
    Edge, Strictness,
    ::testing::Values(
        Hostile{"GET / HTTP/1.1\r\n\r\n", 400}, Hostile{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        Hostile{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Hostile{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        Hostile{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
        Hostile{
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
        Hostile{"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400},
        Hostile{"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400}));

TEST_P(Strictness, refuses_behind_a_good_request_and_closes) {
  const auto gateway = GatewayProcess::with_config(echo);
  Connection connection(gateway.port());
  connection.send(good + GetParam().request + good);
  EXPECT_EQ(connection.read_response().status, 200);
  const Response refused = connection.read_response();
  EXPECT_EQ(refused.status, GetParam().status);
  EXPECT_TRUE(refused.field("x-tollgate-error"));
  EXPECT_EQ(connection.read_to_end(), "");
}

TEST(Edge, asks_for_a_body_the_client_holds_back) {
  const auto gateway = GatewayProcess::with_config(echo);
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(connection.read_exactly(25), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("body");
  EXPECT_EQ(connection.read_response().body, "echo: body");
}

TEST(Edge, echoes_a_slow_upload_that_makes_progress_beyond_the_deadline) {
  const auto gateway = GatewayProcess::with_config(
      "listen = \"127.0.0.1:0\"\nworkers = 1\n[[route]]\npath = \"/\"\nnative = \"echo\"\nlimits = { "
      "deadline = \"400ms\" }\n");
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    connection.send("1\r\nx\r\n");
  }
  connection.send("0\r\n\r\n");
  const Response response = connection.read_response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "echo: xxxxxxxx");
}

// CPU time of a process so far, in clock ticks (of 10 ms).
long cpu_ticks(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state to cmajflt
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return user + system;
}

pid_t only_child_of(pid_t parent) {
  std::ifstream children(fmt::format("/proc/{}/task/{}/children", parent, parent));
  pid_t child = -1;
  children >> child;
  return child;
}

// The number behind `mark` in a text.
int number_after(const std::string& text, const std::string& mark) {
  return std::stoi(text.substr(text.find(mark) + mark.size()));
}

bool has_answer(const Connection& connection, std::chrono::milliseconds wait) {
  pollfd readable{connection.fd(), POLLIN, 0};
  return ::poll(&readable, 1, static_cast<int>(wait.count())) == 1;
}

TEST(Edge, out_of_descriptors_it_serves_on_without_a_spin_and_loses_nobody) {
  constexpr int descriptors_max = 64;
  const TempDir folder;
  const std::string config = folder.write("tollgate.toml", echo);
  CommandProcess gateway({"/bin/sh", "-c",
                          fmt::format("echo pid $$ >&2; ulimit -n {}; exec {} serve --config {}",
                                      descriptors_max, TOLLGATE_BINARY, config)});
  const std::string listening = "listening on http://127.0.0.1:";
  ASSERT_TRUE(gateway.wait_for(listening, std::chrono::seconds(20))) << gateway.err();
  const auto port = static_cast<std::uint16_t>(number_after(gateway.out(), listening));
  const pid_t worker = only_child_of(number_after(gateway.err(), "pid "));
  std::vector<Connection> clients;
  for (int i = 0; i < 2 * descriptors_max; ++i) {
    clients.emplace_back(port);
    clients.back().send(good);
  }
  std::vector<Connection> served;
  std::vector<Connection> waiting;
  for (Connection& client : clients) {
    auto& side = has_answer(client, std::chrono::milliseconds(served.empty() ? 5000 : 20)) ? served : waiting;
    side.push_back(std::move(client));
  }
  EXPECT_GT(served.size(), 10u);
  EXPECT_LT(served.size(), static_cast<std::size_t>(descriptors_max));
  const long before = cpu_ticks(worker);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(cpu_ticks(worker) - before, 20);
  EXPECT_NE(gateway.err().find(fmt::format("accepting on 127.0.0.1 port {}: Too many open files", port)),
            std::string::npos)
      << gateway.err();
  while (!waiting.empty()) {  // as many as there is room for, and so on
    served.clear();
    std::erase_if(waiting, [&served](Connection& client) {
      if (!has_answer(client, std::chrono::milliseconds(served.empty() ? 5000 : 20))) return false;
      EXPECT_EQ(client.read_response().status, 200);
      served.push_back(std::move(client));
      return true;
    });
    ASSERT_FALSE(served.empty()) << waiting.size() << " are never served";
  }
}

TEST(Edge, bounds_bodies_targets_and_heads) {
  const auto gateway = GatewayProcess::with_config(echo);
  EXPECT_EQ(request(gateway.port(), "POST", "/", "12345678").status, 200);
  EXPECT_EQ(request(gateway.port(), "POST", "/", "123456789").status, 413);
  EXPECT_EQ(get(gateway.port(), "/" + std::string(9000, 'a')).status, 414);
  EXPECT_EQ(get(gateway.port(), "/", {{"X-Long", std::string(70'000, 'a')}}).status, 431);
}

}  // namespace
}  // namespace tollgate::testing
