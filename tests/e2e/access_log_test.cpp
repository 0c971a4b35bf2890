#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/support/gateway_process.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/metrics_page.hpp"

namespace tollgate::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string configuration(const std::string& access_log) {
  return "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 1\naccess_log = \"" + access_log +
         "\"\n[[route]]\npath = \"/hello\"\nnative = \"hello\"\n";
}

// The lines of a file once there are `count`, or what there is after a while. A line that is no JSON fails
// the test.
std::vector<json> wait_for_lines(const std::filesystem::path& path, std::size_t count) {
  const auto until = std::chrono::steady_clock::now() + 5s;
  for (;;) {
    std::vector<json> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with('{')) lines.push_back(json::parse(line));
    }
    if (lines.size() >= count || std::chrono::steady_clock::now() > until) return lines;
    std::this_thread::sleep_for(10ms);
  }
}

TEST(AccessLog, tells_of_every_request) {
  const TempDir folder;
  const GatewayProcess gateway =
      GatewayProcess::with_config(configuration((folder.path() / "access.log").string()));
  get(gateway.port(), "/hello?a=b", {{"X-Request-Id", "my-id.1"}});
  get(gateway.port(), "/nowhere");
  const auto lines = wait_for_lines(folder.path() / "access.log", 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["request_id"], "my-id.1");
  EXPECT_EQ(lines[0]["remote"], "127.0.0.1");
  EXPECT_EQ(lines[0]["method"], "GET");
  EXPECT_EQ(lines[0]["target"], "/hello?a=b");
  EXPECT_EQ(lines[0]["route"], "/hello");
  EXPECT_EQ(lines[0]["status"], 200);
  EXPECT_EQ(lines[0]["outcome"], "ok");
  EXPECT_EQ(lines[0]["bytes_out"], 5);
  EXPECT_EQ(lines[1]["status"], 404);
  EXPECT_EQ(lines[1]["outcome"], "not_found");
  EXPECT_EQ(lines[1]["route"], "");
}

TEST(AccessLog, is_valid_json_whatever_a_client_sends) {
  const TempDir folder;
  const GatewayProcess gateway =
      GatewayProcess::with_config(configuration((folder.path() / "access.log").string()));
  const std::string_view targets[] = {"/a\"b", "/a\\b", "/a%00b", "/\x80\xff",
                                      "/a'b",  "/{}",   "/a\x7f", "/%0a%0d"};
  for (const std::string_view target : targets) {
    Connection connection(gateway.port());
    connection.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: \"}\r\n\r\n");
    connection.read_response();
  }
  EXPECT_GE(wait_for_lines(folder.path() / "access.log", std::size(targets)).size(), std::size(targets));
}

TEST(AccessLog, goes_to_stderr_when_asked) {
  const GatewayProcess gateway = GatewayProcess::with_config(configuration("stderr"));
  get(gateway.port(), "/hello");
  EXPECT_TRUE(gateway.wait_for_log("\"target\":\"/hello\"")) << gateway.err();
}

TEST(AccessLog, is_opened_anew_by_sighup) {
  const TempDir folder;
  const auto path = folder.path() / "access.log";
  const GatewayProcess gateway = GatewayProcess::with_config(configuration(path.string()));
  get(gateway.port(), "/hello?first");
  EXPECT_EQ(wait_for_lines(path, 1).size(), 1u);
  std::filesystem::rename(path, folder.path() / "old.log");
  gateway.signal(SIGHUP);
  ASSERT_TRUE(gateway.wait_for_log("reloaded 1 routes")) << gateway.err();
  get(gateway.port(), "/hello?second");
  const auto lines = wait_for_lines(path, 1);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["target"], "/hello?second");
  EXPECT_EQ(wait_for_lines(folder.path() / "old.log", 1).size(), 1u);
}

TEST(AccessLog, counts_the_bytes_of_a_body_however_it_is_framed) {
  const TempDir folder;
  const auto gateway = GatewayProcess::with_config(configuration((folder.path() / "access.log").string()) +
                                                   "[[route]]\npath = \"/echo\"\nnative = \"echo\"\n");
  request(gateway.port(), "POST", "/echo", "abcd");
  Connection connection(gateway.port());
  connection.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
  EXPECT_EQ(connection.read_response().body, "echo: abcde");
  const auto lines = wait_for_lines(folder.path() / "access.log", 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["bytes_in"], 4);
  EXPECT_EQ(lines[1]["bytes_in"], 5);
}

// A counter that a header could move by 10^18 would be past its end after 18 requests.
TEST(AccessLog, counts_the_bytes_that_came_and_not_those_that_were_only_announced) {
  const TempDir folder;
  const auto gateway = GatewayProcess::with_config(configuration((folder.path() / "access.log").string()));
  request(gateway.port(), "POST", "/hello", "abc");
  Connection connection(gateway.port());
  connection.send("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n");
  EXPECT_EQ(connection.read_response().status, 413);
  const auto lines = wait_for_lines(folder.path() / "access.log", 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["bytes_in"], 3);
  EXPECT_EQ(lines[1]["bytes_in"], 0);
}

// A pipe that nobody reads takes 64 KiB, the worker's buffer 256 KiB more: some 1,300 lines.
TEST(AccessLog, drops_and_counts_lines_instead_of_waiting_for_a_reader) {
  constexpr int requests = 4000;
  const TempDir folder;
  const std::string fifo = (folder.path() / "access.fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  const GatewayProcess gateway = GatewayProcess::with_config(configuration(fifo));
  Connection connection(gateway.port());
  constexpr int at_once = 100;
  std::string batch;
  for (int i = 0; i < at_once; ++i) batch += "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < requests; i += at_once) {
    connection.send(batch);
    for (int answer = 0; answer < at_once; ++answer) ASSERT_EQ(connection.read_response().status, 200);
  }
  const Metrics metrics = wait_for_metric(gateway.admin_port(), "tollgate_log_lines_dropped_total{}", 1);
  const double dropped = value_of(metrics, "tollgate_log_lines_dropped_total{}");
  EXPECT_GT(dropped, 0);
  EXPECT_LT(dropped, requests);

  // The reader comes back: only whole lines arrive, and new ones are written again.
  std::string read;
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (std::chrono::steady_clock::now() < until &&
         std::count(read.begin(), read.end(), '\n') < requests - static_cast<long>(dropped)) {
    char piece[65536];
    const ssize_t count = ::read(reader.get(), piece, sizeof piece);
    if (count > 0) read.append(piece, static_cast<std::size_t>(count));
    if (count <= 0) std::this_thread::sleep_for(5ms);
  }
  std::istringstream lines(read);
  int whole = 0;
  for (std::string line; std::getline(lines, line); ++whole) EXPECT_EQ(json::parse(line)["status"], 200);
  EXPECT_EQ(whole, requests - static_cast<int>(dropped));
}

}  // namespace
}  // namespace tollgate::testing
